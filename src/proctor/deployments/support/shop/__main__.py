"""`python -m proctor.deployments.support.shop` does what `proctor-store-mcp` does."""

from proctor.deployments.support.shop import main

if __name__ == "__main__":
    main()
