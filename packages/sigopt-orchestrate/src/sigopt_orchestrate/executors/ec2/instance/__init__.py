"""What runs on an instance, beside the trial. It needs Python 3.9 and nothing else.

These files travel in the user data, so that an image needs no package of ours; they import nothing
but each other, `executors.supervisor` and the standard library.
"""
