"""`python -m proctor.deployments.support.demo`."""

from proctor.deployments.support.demo import main

if __name__ == "__main__":
    main()
