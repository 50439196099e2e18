gossipgrad run -n 2 --launcher tcp quickstart.py
