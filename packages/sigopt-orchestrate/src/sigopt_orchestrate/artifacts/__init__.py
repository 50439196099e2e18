"""What trials leave, kept in a bucket: outputs, checkpoints, logs.

    courier    beside the trial: puts files and fetches them, by presigned addresses
    keeper     beside the leader: answers the couriers' questions, and says what is whole
    bucket     S3 itself; the one room here that has credentials
    keys       what things are called there
    answering  between the two
    preflight  whether the bucket can be used
    reading    what people find and fetch

Only whoever runs orchestrate needs credentials for the bucket, by AWS's standard chain. Couriers
get an address for one object, one part and one checksum at a time, good for an hour: so neither a
trial nor its instance or pod has any rights, and there is nothing to be stored. What has been put
is asked of S3 each time, and so an upload goes on wherever it was interrupted, whoever was.
"""
