"""The HTTP server: SigOpt's API v1 over the store.

Data flows one way. `routes` say what each address does, in a transaction that `endpoints` opens
for them once `authentication` has told who calls and `wire` what was sent; `objects` make the
answer; `search` asks the optimiser.
"""
