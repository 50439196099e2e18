"""A small residual network on CIFAR-100: `gossipgrad run -n 4 examples/cifar100.py --data FOLDER`.

FOLDER holds `cifar-100-python`, unpacked. Every rank keeps its own share of the images in memory,
and they travel round the ring of ranks while it computes. `--method ddp` or another baseline trains
the same network in the same way for comparison.
"""

import sys

import torch
from datasets import DataError, augment, cifar100, normalise
from networks import cifar_resnet
from torch.utils.data import DataLoader, TensorDataset
from training import options, train

from gossipgrad import GossipDataLoader, GossipError
from gossipgrad.transports import connect


def main() -> None:
    """Trains and prints accuracy and efficiency after each epoch."""
    parser = options(__doc__.splitlines()[0], epochs=10, batch_size=32, rate=0.2)
    parser.add_argument("--depth", type=int, default=8, help="6 n + 2")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--labels", default="fine", choices=["fine", "coarse"])
    parser.add_argument("--limit", type=int, default=50_000, help="training images in all")
    parser.add_argument("--test-limit", type=int, default=10_000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data is missing: the folder that holds cifar-100-python")
    torch.manual_seed(arguments.seed)
    here = connect()
    try:
        images, labels = cifar100(arguments.data, "train", arguments.labels)
        tested = TensorDataset(*cifar100(arguments.data, "test", arguments.labels))
    except DataError as error:
        sys.exit(f"cifar100: {error}")
    share = min(arguments.limit, len(images)) // here.size
    mine = slice(here.rank, share * here.size, here.size)
    batches = GossipDataLoader(
        images[mine], labels[mine], arguments.batch_size, transform=augment, seed=arguments.seed
    )
    network = cifar_resnet(
        100 if arguments.labels == "fine" else 20, arguments.depth, arguments.width
    )

    def test() -> list[tuple[torch.Tensor, torch.Tensor]]:
        some = torch.utils.data.Subset(tested, range(min(arguments.test_limit, len(tested))))
        return [(normalise(images), labels) for images, labels in DataLoader(some, 500)]

    train(network, batches, test, arguments)
    batches.finish()


if __name__ == "__main__":
    try:
        main()
    except GossipError as error:
        sys.exit(f"cifar100: {error}")
