"""K1 to K5: loads and faults on a real Kubernetes, started by the program in $ORCHESTRATE_KUBE."""
