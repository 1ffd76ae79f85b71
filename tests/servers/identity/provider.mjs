// A real identity provider. Whoever signs in as `ann@example.com sre,dev` is ann, and in these two groups.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const { port = 0, jwks, callback, packages, claims } = JSON.parse(process.env.IDENTITY);
const { default: Provider } = await import(pathToFileURL(join(packages, 'oidc-provider', 'lib', 'index.js')));

function account(id) {
  const [email, groups = ''] = id.split(' ');
  return { email, email_verified: !email.startsWith('unverified'), groups: groups.split(',').filter(Boolean) };
}

const server = createServer();
server.listen(port, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'proctor',
      client_secret: 'of-the-client',
      redirect_uris: [callback],
      grant_types: ['authorization_code'],
    }],
    jwks,
    cookies: { keys: ['of-cookies'] },
    claims: { email: ['email', 'email_verified', 'groups'], profile: [] },
    conformIdTokenClaims: claims === 'userinfo',
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...account(id) }) }),
    extraTokenClaims: (_, token) => (token.accountId ? account(token.accountId) : {}),
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: claims === 'bearer',
        defaultResource: () => 'urn:proctor:api',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'openid email', audience: 'urn:proctor:api', accessTokenFormat: 'jwt', accessTokenTTL: 600,
        }),
      },
    },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
