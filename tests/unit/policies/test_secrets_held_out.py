# ruff: noqa: RUF001, E501, ISC003 - Chinese punctuation; samples stay whole, tokens in pieces
"""Texts of other styles than those that the rules were made with: made by a seed, of our own writing."""

import base64
import json
import random
import string
import zlib
from collections.abc import Callable, Iterator

import pytest

from proctor.policies import Reading
from proctor.policies.secrets._credentials import secrets

ALNUM = string.ascii_letters + string.digits
HEX = string.digits + "abcdef"
BASE64 = ALNUM + "+/"
URLSAFE = ALNUM + "-_"
UPPER = string.ascii_uppercase + string.digits


class Maker:
    """Draws tokens and passwords as their issuers make them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def draw(self, alphabet: str, length: int) -> str:
        return "".join(self.rng.choice(alphabet) for _ in range(length))

    def uuid(self) -> str:
        return "-".join(self.draw(HEX, size) for size in (8, 4, 4, 4, 12))

    def password(self) -> str:
        word = self.rng.choice(["Tr0ub4dor", "Winter", "blue", "Kestrel", "m0nkey", "Zhang", "acme", "Horse"])
        tail = self.draw(string.digits, self.rng.randint(2, 4))
        return word + self.rng.choice("&!@#$%*?_-") + tail + self.draw(ALNUM, self.rng.randint(0, 4))

    def github(self) -> str:
        body = self.draw(ALNUM, 30)
        digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
        number, check = zlib.crc32(body.encode()), ""
        while number:
            number, digit = divmod(number, 62)
            check = digits[digit] + check
        return "gh" + self.rng.choice("pous") + "_" + body + check.rjust(6, "0")

    def jwt(self) -> str:
        def part(value: dict[str, object]) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        head = part({"alg": "HS256", "typ": "JWT"})
        return f"{head}.{part({'sub': self.draw(string.digits, 10), 'exp': 1799999999})}.{self.draw(URLSAFE, 43)}"

    def pem(self, name: str) -> str:
        lines = "\n".join(self.draw(BASE64, 64) for _ in range(6))
        return f"-----BEGIN {name}-----\n{lines}\n{self.draw(BASE64, 22)}==\n-----END {name}-----"

    def putty(self) -> str:
        lines = "\n".join(self.draw(BASE64, 64) for _ in range(3))
        return (
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: laptop\nPublic-Lines: 1\n"
            f"{self.draw(BASE64, 64)}\nPrivate-Lines: 3\n{lines}\nPrivate-MAC: {self.draw(HEX, 64)}"
        )


def tokens(make: Maker) -> dict[str, str]:
    draw = make.draw
    return {
        "aws": "AKI" + "A" + draw("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
        "aws temporary": "ASI" + "A" + draw("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
        "google": "AI" + "za" + draw(URLSAFE, 35),
        "google oauth": "GOC" + "SPX-" + draw(URLSAFE, 28),
        "azure storage": "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey="
        + draw(BASE64, 86)
        + "==",
        "azure entra": draw(ALNUM, 3) + "8Q" + "~" + draw(ALNUM + "_~.-", 34),
        "alibaba": "LT" + "AI5t" + draw(ALNUM, 20),
        "tencent": "AK" + "ID" + draw(ALNUM, 32),
        "deepseek": "sk" + "-" + draw(HEX, 32),
        "moonshot": "sk" + "-" + draw(ALNUM, 48),
        "openai": "sk" + "-proj-" + draw(URLSAFE, 74) + "T3Blbk" + "FJ" + draw(URLSAFE, 74),
        "openai old": "sk" + "-" + draw(ALNUM, 20) + "T3Blbk" + "FJ" + draw(ALNUM, 20),
        "anthropic": "sk" + "-ant-api03-" + draw(URLSAFE, 93) + "AA",
        "hugging face": "h" + "f_" + draw(string.ascii_letters, 34),
        "github": make.github(),
        "github fine": "github" + "_pat_" + draw(ALNUM, 22) + "_" + draw(ALNUM, 59),
        "gitlab": "gl" + "pat-" + draw(URLSAFE, 20),
        "stripe": "sk" + "_live_" + draw(ALNUM, 24),
        "stripe restricted": "rk" + "_live_" + draw(ALNUM, 99),
        "stripe webhook": "wh" + "sec_" + draw(ALNUM, 32),
        "twilio": "S" + "K" + draw(HEX, 32),
        "sendgrid": "S" + "G." + draw(URLSAFE, 22) + "." + draw(URLSAFE, 43),
        "telegram": draw("123456789", 10) + ":" + "AA" + draw(URLSAFE, 33),
        "discord": "MT"
        + base64.b64encode(draw(string.digits, 16).encode()).decode().rstrip("=")
        + "."
        + draw(URLSAFE, 6)
        + "."
        + draw(URLSAFE, 38),
        "slack bot": "xo"
        + "xb-"
        + draw(string.digits, 12)
        + "-"
        + draw(string.digits, 13)
        + "-"
        + draw(ALNUM, 24),
        "slack webhook": "https://hooks.slack.com"
        + "/services/T"
        + draw(UPPER, 10)
        + "/B"
        + draw(UPPER, 10)
        + "/"
        + draw(ALNUM, 24),
        "npm": "np" + "m_" + draw(ALNUM, 36),
        "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + draw(URLSAFE, 120),
        "digitalocean": "do" + "p_v1_" + draw(HEX, 64),
        "databricks": "da" + "pi" + draw(HEX, 32),
        "shopify": "sh" + "pat_" + draw(HEX, 32),
        "mailgun": "ke" + "y-" + draw(HEX, 32),
        "mailchimp": draw(HEX, 32) + "-" + "us14",
        "postman": "PM" + "AK-" + draw(HEX, 24) + "-" + draw(HEX, 34),
        "new relic": "NR" + "AK-" + draw(UPPER, 27),
        "grafana": "gl" + "sa_" + draw(ALNUM, 32) + "_" + draw(HEX, 8),
        "hashicorp vault": "hv" + "s." + draw(URLSAFE, 90),
        "terraform cloud": draw(ALNUM, 14) + ".atl" + "asv1." + draw(URLSAFE, 64),
        "doppler": "dp" + ".pt." + draw(ALNUM, 43),
        "linear": "lin" + "_api_" + draw(ALNUM, 40),
        "notion": "nt" + "n_" + draw(string.digits, 11) + draw(ALNUM, 35),
        "figma": "fi" + "gd_" + draw(URLSAFE, 43),
        "docker": "dck" + "r_pat_" + draw(URLSAFE, 27),
        "xai": "xa" + "i-" + draw(ALNUM, 80),
        "groq": "gs" + "k_" + draw(ALNUM, 52),
        "replicate": "r" + "8_" + draw(ALNUM, 37),
        "atlassian": "ATA" + "TT3xFfGF0" + draw(URLSAFE, 170),
        "square": "sq" + "0csp-" + draw(URLSAFE, 43),
        "jwt": make.jwt(),
        "zhipu": draw(HEX, 32) + "." + draw(ALNUM, 16),
        "volcengine": "AK" + "LT" + draw(ALNUM, 44),
        "tailscale": "tsk" + "ey-auth-" + draw(ALNUM, 17) + "-" + draw(ALNUM, 32),
        "age": "AGE-SECRET" + "-KEY-1" + draw("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
        "pem rsa": make.pem("RSA PRIVATE" + " KEY"),
        "pem openssh": make.pem("OPENSSH PRIVATE" + " KEY"),
        "pem encrypted": make.pem("ENCRYPTED PRIVATE" + " KEY"),
        "pgp": make.pem("PGP PRIVATE" + " KEY BLOCK"),
        "putty": make.putty(),
    }


BARE = (
    "{}",
    "here's the one you asked for: {} - please rotate it later",
    "2026-03-02T10:11:12Z ERROR upstream=billing cred={} status=401 retry=3",
    "麻烦帮我用{}调一下接口，谢谢",
)

NAMED: dict[str, Callable[[Maker], str]] = {
    "STRIPE_SIGNING_SECRET={}": lambda make: make.draw(ALNUM, 32),
    'export DATADOG_API_KEY="{}"': lambda make: make.draw(HEX, 32),
    "setx MY_APP_TOKEN {}": lambda make: make.draw(ALNUM, 28),
    "ENV SECRET_KEY_BASE={}": lambda make: make.draw(HEX, 128),
    "ARG NPM_AUTH_TOKEN={}\nRUN npm ci": lambda make: make.uuid(),
    '  "clientSecret": "{}",': lambda make: make.draw(URLSAFE, 40),
    "api:\n  endpoint: https://api.acme.test\n  apiKey: {}\n": lambda make: make.draw(ALNUM, 32),
    "  auth_token: '{}'": lambda make: make.draw(HEX, 40),
    'variable "consumer_key" {{\n  default = "{}"\n}}': lambda make: make.draw(ALNUM, 25),
    'provider "acme" {{\n  api_token = "{}"\n}}': lambda make: make.draw(URLSAFE, 36),
    'curl -H "X-Api-Key: {}" https://api.acme.test/v1/me': lambda make: make.draw(ALNUM, 32),
    "curl -H 'Authorization: Bearer {}' https://api.acme.test/v1/me": lambda make: make.draw(URLSAFE, 44),
    "GET /v1/orders?limit=5&access_token={}&page=2 HTTP/1.1": lambda make: make.draw(HEX, 40),
    "Authorization: Token {}": lambda make: make.draw(HEX, 40),
    "const apiSecret = `{}`;": lambda make: make.draw(BASE64, 44),
    'private static final String API_KEY = "{}";': lambda make: make.draw(ALNUM, 30),
    "client = Client(api_key='{}', timeout=3)": lambda make: make.draw(ALNUM, 32),
    "app.config['SECRET_KEY'] = '{}'": lambda make: make.draw(BASE64, 40),
    '<add key="ServiceBusAccessKey" value="{}" />': lambda make: make.draw(BASE64, 43) + "=",
    "<apiKey>{}</apiKey>": lambda make: make.draw(HEX, 32),
    "aws_secret_access_key = {}": lambda make: make.draw(BASE64, 40),
    "//registry.acme.test/:_authToken={}": lambda make: make.draw(ALNUM, 40),
    "The integration secret for the staging tenant is {}, don't share it.": lambda make: make.draw(ALNUM, 28),
    "hey, our weather api key is {} if you need it": lambda make: make.draw(HEX, 32),
    "token: {}": lambda make: make.draw(HEX, 64),
    "ENCRYPTION_KEY: {}": lambda make: make.draw(BASE64, 43) + "=",
    "| API token | {} |": lambda make: make.draw(ALNUM, 32),
    "接口密钥：{}": lambda make: make.draw(ALNUM, 32),
    "我们的 app secret 是 {}，别外传": lambda make: make.draw(HEX, 32),
    "访问令牌为{}。": lambda make: make.draw(ALNUM, 36),
    "SecretId和SecretKey我发你：SecretKey={}": lambda make: make.draw(ALNUM, 32),
    "os.environ['OPENWEATHER_KEY'] = \"{}\"": lambda make: make.draw(HEX, 32),
    "gh secret set DEPLOY_TOKEN --body {}": lambda make: make.draw(ALNUM, 36),
    "mycli login --token {}": lambda make: make.draw(ALNUM, 36),
    "kubectl create secret generic x --from-literal=api-key={}": lambda make: make.draw(ALNUM, 32),
    "  - name: SIGNING_KEY\n    value: {}\n": lambda make: make.draw(ALNUM, 32),
    "[default]\nsession_token={}\n": lambda make: make.draw(BASE64, 120),
    "HMAC key -> {}": lambda make: make.draw(HEX, 64),
    "git clone https://{}@git.acme.test/shop/api.git": lambda make: make.draw(ALNUM, 40),
}

GIVEN_AWAY = (
    "the admin pw is {}",
    "use password '{}' for the staging box",
    "DB_PASSWORD={}",
    "export PGPASSWORD='{}'",
    "password: {}",
    '"password": "{}"',
    "spring.datasource.password={}",
    "postgres://shop:{}@db.acme.test:5432/shop",
    "redis://:{}@cache.acme.test:6379/0",
    "mongodb+srv://app:{}@cluster0.acme.test/?retryWrites=true",
    "amqp://worker:{}@mq.acme.test/%2f",
    "Server=db.acme.test;Database=shop;User Id=sa;Password={};Encrypt=true",
    "jdbc:mysql://db.acme.test/shop?user=root&password={}",
    "mysql -u root -p{} shop",
    "sshpass -p '{}' ssh root@10.0.0.5",
    "curl -u admin:{} https://grafana.acme.test/api/org",
    "machine git.acme.test login li password {}",
    "CREATE USER app IDENTIFIED BY '{}';",
    "ALTER ROLE app WITH PASSWORD '{}';",
    "docker login -u li --password {} registry.acme.test",
    "ansible_ssh_pass: {}",
    '  MYSQL_ROOT_PASSWORD: "{}"',
    'resource "aws_db_instance" "shop" {{\n  username = "app"\n  password = "{}"\n}}',
    "$password = '{}';",
    'String dbPassword = "{}";',
    "conn = connect(user='app', password='{}')",
    "<password>{}</password>",
    "net use z: \\\\nas\\share /user:li {} password",
    "Hi, my login is li@acme.test and my password is {} - why can't I get in?",
    "I changed my password to {} yesterday and it still says no",
    "wifi password -> {}",
    "you can log in with user demo and password {}",
    "credentials: admin / {}",
    "login: root:{}",
    "Passcode for the vault: {}",
    'the passphrase for my key is "{}"',
    "pwd={}",
    "my bank password used to be {}",
    "密码是 {}",
    "密码：{}",
    "我的登录密码是{}，帮我看看为什么登不上",
    "口令：{}",
    "账号：li，密码：{}",
    "账号密码：li/{}",
    "数据库密码改成 {} 了",
    "wifi密码 {}",
    "用户名 admin 口令 {}",
    "密码设置为“{}”可以吗？",
    "初始密碼為 {}",
    "管理员密码->{}",
)

INNOCENT = (
    "password = os.environ['DB_PASSWORD']",
    'password = os.getenv("DB_PASSWORD", "")',
    "password: ${{ secrets.DB_PASSWORD }}",
    "DB_PASSWORD=${DB_PASSWORD}",
    "API_KEY=$API_KEY",
    "api_key: <your-api-key>",
    "OPENAI_API_KEY=your-key-here",
    'apiKey: "YOUR_API_KEY"',
    "token = request.headers.get('Authorization')",
    "const token = await getToken(user.id);",
    "password must have 8 characters and one digit",
    "how do I reset my password?",
    "I forgot my password and the link in the email has expired",
    "My password isn't working since yesterday",
    "Is 8 characters enough for a password?",
    "the password field is empty",
    "Please never tell anybody your PIN or password.",
    "What is an API key, and where do I find mine?",
    "Your token has expired, please log in again.",
    "The secret to good pasta is salted water.",
    "The key to success is practice.",
    "the access key is stored in the vault",
    "secret_name: db-credentials-v2",
    "secretKeyRef:\n  name: shop-secrets\n  key: db-password",
    "password_hash = bcrypt.hashpw(password, salt)",
    "if (password.length < 8) throw new Error('Password too short');",
    '<input type="password" name="password" placeholder="Password" />',
    '"password": "Please enter your password"',
    '"forgot_password": "Forgot your password?"',
    "max_tokens=4096, temperature=0.2",
    "total_tokens: 128345, prompt_tokens: 120000",
    "key = lambda row: row['name']",
    'sort_key = "created_at_desc_2"',
    "primary key (order_id, line_no)",
    "Press any key to continue",
    "keyboard shortcut: Ctrl+Shift+P",
    "public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
    + "G" * 3
    + "k1x9mZ7wL4kT8vB1q9X2mZ7wL4kT8vB1q9X2mZ7w li@laptop",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7q9X2mZ7wL4kT8vB1q9X2mZ7wL4kT8vB1 li@laptop",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----",
    "The file starts with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----.",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "md5sum: d41d8cd98f00b204e9800998ecf8427e  empty.bin",
    '"integrity": "sha512-oRwGKlZ7wL4kT8vB1q9X2mZ7wL4kT8vB1q9X2mZ7wL4kT8vB1q9X2mZ7wL4kT8vB1q9X2mZ7wL4kT8vB1q9X2w=="',
    "order 550e8400-e29b-41d4-a716-446655440000 is on its way",
    "request_id=7f3a9c1e2b4d5f60 trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
    'etag: "33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "!function(e,t){var n=e.key,r=t.token;return n&&r&&(n=r(n)),n}(window,{token:function(a){return a.t1},key:1});",
    "var tokenizerKeyMap={a1:tokenKey2,b2:passKey3},authHandlerV2=e=>e.authKeyV2;",
    "See /etc/ssl/private/server.key and /home/li/.ssh/id_rsa",
    "private_key_path = '/run/secrets/jwt_key_2026.pem'",
    "tokenUrl: https://login.acme.test/oauth2/v2.0/token",
    "token_endpoint=https://acme.test/oauth/token",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $TOKEN",
    "curl -u $USER:$PASS https://acme.test",
    "docker run -u 1000:1000 -e PASSWORD_FILE=/run/secrets/pw app",
    "https://user:${PASSWORD}@acme.test",
    "git@github.com:acme/shop.git",
    "email me at li@acme.test: password reset still broken",
    "PASSWORD_RESET_TIMEOUT=86400",
    "PASSWORD_HASHERS = ['django.contrib.auth.hashers.Argon2PasswordHasher']",
    "AUTH_PASSWORD_VALIDATORS = []",
    "TOKEN_TTL=3600",
    "auth = HTTPBasicAuth(user, password)",
    "auth: oauth2",
    "credentials: include",
    "credentials: 'same-origin'",
    "cred = credentials.Certificate(path)",
    "token_type: bearer",
    "secret: true",
    "type: kubernetes.io/service-account-token",
    "pin the version to 2.3.1",
    "pin 13 is the LED on the board",
    "GPIO pin: 18",
    "the pin code of the area is needed for delivery",
    "Passport number and boarding pass are needed at the gate",
    "pass: 12, fail: 0, skipped: 3",
    "3 passed, 1 failed in 0.12s",
    "he passed away in 1984",
    "bypass=true",
    "compass: N 48.1",
    "the wifi password is on the back of the router",
    "the password is case sensitive",
    "my password is too long, can I shorten it?",
    "password: string | null",
    "password: str = Field(min_length=8)",
    "def login(user: str, password: str) -> Token: ...",
    "password = input('Password: ')",
    "passwd = getpass.getpass()",
    "PWD=/home/li/shop",
    "cd $PWD && ls",
    "cipher key size: 256 bits",
    "API keys: 3 active, 1 revoked",
    "session cookie is set by the proxy",
    "key: value",
    "key=value pairs are split at '='",
    "foreign_key='customers.customer_id'",
    'cache_key = f"order:{order_id}:v2"',
    "AWS_REGION=us-east-1 AWS_PROFILE=staging2",
    "aws_access_key_id = <AKIA...>",
    "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "password=********",
    "password: [REDACTED]",
    'api_key = "***"',
    "Set-Cookie: theme=dark; Path=/",
    "the monkey1 test user is locked",
    "keyword=summer2026",
    "We sell key rings, hotkey stickers and tokens for laundry machines.",
    "Bearer of this letter: Ms Li",
    "authorization code flow with PKCE",
    "Author: Ann Smith, Authority: city2026hall",
    "密码错误3次以后账户会锁定吗？",
    "怎么重置密码？",
    "密码必须是8位以上的数字和字母",
    "密码至少8位，包含大小写字母",
    "请输入密码",
    "忘记密码了，收不到验证码",
    "密码是什么格式的？",
    "密码不能包含空格和admin等常用词",
    "密钥是什么意思？",
    "密钥长度为256位",
    "令牌过期了怎么办，显示401",
    "口令红包怎么领",
    "API key 在哪里申请？",
    "token 用完了，还剩 12000 个",
    "支持 Touch ID、Face ID 和密码登录 App",
    "修改密码请访问 https://acme.test/account",
    "请勿将密码告诉他人，客服电话 4008123123",
    "你们的密码策略支持 NIST SP800-63B 吗",
    "支付密码和登录密码可以一样吗",
)


def positives(seed: int) -> Iterator[tuple[str, str, str]]:
    """Style, text and what is secret in it."""
    make = Maker(seed)
    for number, (name, token) in enumerate(tokens(make).items()):
        for shape in (BARE[0], BARE[1 + number % 3]):
            yield f"token: {name}", shape.format(token), token
    for shape, draw in NAMED.items():
        value = draw(make)
        yield "named", shape.format(value), value
    for shape in GIVEN_AWAY:
        value = make.password()
        yield "password", shape.format(value), value


def found(text: str) -> list[str]:
    return [text[each.start : each.end] for each in secrets(Reading(text))]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nearly_all_secrets_of_many_styles_are_found_where_they_stand(seed: int) -> None:
    texts = list(positives(seed))
    missed = [
        text for _, text, value in texts if not any(value in each or each in value for each in found(text))
    ]
    inexact = [text for _, text, value in texts if value not in found(text)]
    assert len(texts) > 200
    assert len(missed) <= 4
    assert len(inexact) <= 16


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_speaks_of_secrets_passes(text: str) -> None:
    assert found(text) == []
