"""EKS clusters, made and removed step by step, so that any interruption can be gone on from.

spec.cluster   what the file asks for       network, identity, machines   the steps
steps          what a step is               driver                        create, update, destroy
journal        what was made, on disk       charges                       what it costs an hour
plan           all steps, in order
"""
