"""`python -m gossipgrad` is the command `gossipgrad`."""

from gossipgrad.cli import main

if __name__ == "__main__":
    main()
