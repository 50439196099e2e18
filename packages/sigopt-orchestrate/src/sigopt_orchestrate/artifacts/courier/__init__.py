"""What carries files beside the trial, wherever that runs. It needs Python 3.8 and nothing else.

These files travel to instances of EC2 and into pods, so that no image needs a package of ours, and
run in orchestrate itself for trials of this machine; they import nothing but each other and the
standard library. They hold no credentials: every request to S3 goes to a presigned address that
orchestrate has given for it, which names the object, the part and its checksum.
"""
