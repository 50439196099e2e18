"""What runs inside a trial's pod, beside the command. It needs Python 3.8 and nothing else.

These files travel in a ConfigMap, so that an image needs no package of ours; they import nothing
but each other and the standard library.
"""
