"""`python -m sigopt_orchestrate` is the command `orchestrate`."""

from sigopt_orchestrate.cli import main

if __name__ == "__main__":
    main()
