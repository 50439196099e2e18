"""Trials on instances of Amazon EC2, which call this machine; only `instance` travels there.

spec.ec2    what the file asks for          executor   the run loop's side
names       names and tags                  crew       who has called, who works on what
fleet       as many instances as needed     desk       HTTP, for the instances
launching   one launch, whatever comes      user_data  what an instance starts with
journal     what was launched, on disk      instance   the agent
pools       where there is capacity         reaper     ends what nobody vouches for
template    what all instances have         preflight  what would stop an experiment
source      the folder, packed              gang       what nodes know of each other
"""
