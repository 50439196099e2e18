"""NVIDIA's device plug-in, without which a cluster does not know its GPUs."""

from typing import Any

Json = dict[str, Any]

IMAGE = "nvcr.io/nvidia/k8s-device-plugin:v0.17.1"
_NAME = "nvidia-device-plugin"
_FOLDER = "/var/lib/kubelet/device-plugins"


def nvidia_device_plugin(image: str = IMAGE) -> Json:
    """Returns the DaemonSet; it needs no rights in the API, and a folder of the node.

    Nodes without a GPU run it idle; a node's driver and container runtime are the operator's.
    """
    labels = {"app.kubernetes.io/name": _NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": _NAME, "namespace": "kube-system", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "automountServiceAccountToken": False,
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                    "containers": [
                        {
                            "name": "plugin",
                            "image": image,
                            "env": [{"name": "FAIL_ON_INIT_ERROR", "value": "false"}],
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [{"name": "plugins", "mountPath": _FOLDER}],
                        }
                    ],
                    "volumes": [{"name": "plugins", "hostPath": {"path": _FOLDER}}],
                },
            },
        },
    }
