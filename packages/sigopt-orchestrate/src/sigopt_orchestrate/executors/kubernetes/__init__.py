"""Trials as pods of a Kubernetes cluster; only `pod` travels into them."""
