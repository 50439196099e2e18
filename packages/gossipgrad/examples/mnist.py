"""LeNet on MNIST: `gossipgrad run -n 4 examples/mnist.py --data FOLDER`.

FOLDER holds MNIST's four idx files as they are published, gzipped or not, or a folder `mnist` with
them. Every rank keeps its own share of the digits in memory, and they travel round the ring of
ranks while it computes.
"""

import sys

import torch
from datasets import DataError, mnist, scale_digits
from networks import lenet
from torch.utils.data import DataLoader, TensorDataset
from training import options, train

from gossipgrad import GossipDataLoader, GossipError
from gossipgrad.transports import connect


def main() -> None:
    """Trains and prints accuracy and efficiency after each epoch."""
    parser = options(__doc__.splitlines()[0], epochs=3, batch_size=32, rate=0.1)
    parser.add_argument("--limit", type=int, default=60_000, help="training digits in all")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data is missing: the folder that holds MNIST's idx files")
    torch.manual_seed(arguments.seed)
    here = connect()
    try:
        images, labels = mnist(arguments.data, "train")
        tested = TensorDataset(*mnist(arguments.data, "test"))
    except DataError as error:
        sys.exit(f"mnist: {error}")
    share = min(arguments.limit, len(images)) // here.size
    mine = slice(here.rank, share * here.size, here.size)
    batches = GossipDataLoader(
        images[mine],
        labels[mine],
        arguments.batch_size,
        transform=scale_digits,
        seed=arguments.seed,
    )

    def test() -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(scale_digits(images), labels) for images, labels in DataLoader(tested, 1000)]

    train(lenet(), batches, test, arguments)
    batches.finish()


if __name__ == "__main__":
    try:
        main()
    except GossipError as error:
        sys.exit(f"mnist: {error}")
