"""ResNet-50 or GoogLeNet on ImageNet: `gossipgrad run -n 4 examples/imagenet.py --data FOLDER`.

FOLDER holds `train` and `val`, each with one folder of JPEGs per class. Every rank reads all of it,
so shards travel round the ring as indices only.
"""

import sys

import torch
from datasets import DataError, ImageFolder
from networks import GoogLeNet, resnet50
from torch.utils.data import DataLoader
from training import options, train

from gossipgrad import GossipError, GossipSampler
from gossipgrad.transports import connect

NETWORKS = {"resnet50": resnet50, "googlenet": GoogLeNet}


def main() -> None:
    """Trains and prints accuracy and efficiency after each epoch."""
    parser = options(__doc__.splitlines()[0], epochs=90, batch_size=32, rate=0.1)
    parser.add_argument("--network", default="resnet50", choices=list(NETWORKS))
    parser.add_argument("--side", type=int, default=224, help="pixels of a training image's side")
    parser.add_argument("--workers", type=int, default=2, help="processes that decode, per rank")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data is missing: the folder that holds train and val")
    torch.manual_seed(arguments.seed)
    here = connect()
    try:
        images = ImageFolder(arguments.data / "train", arguments.side, training=True)
        tested = ImageFolder(arguments.data / "val", arguments.side, training=False)
    except DataError as error:
        sys.exit(f"imagenet: {error}")
    if tested.classes != images.classes:
        sys.exit("imagenet: train and val hold different classes")
    batches = DataLoader(
        images,
        arguments.batch_size,
        sampler=GossipSampler(images, here.rank, here.size, arguments.seed),
        num_workers=arguments.workers,
        # Forked workers would share the MPI connections of their parent.
        multiprocessing_context="forkserver" if arguments.workers else None,
        persistent_workers=arguments.workers > 0,
        drop_last=True,
    )
    if len(batches) == 0:
        sys.exit(
            f"imagenet: {len(images)} images on {here.size} ranks make no batch of "
            f"{arguments.batch_size}"
        )
    network = NETWORKS[arguments.network](len(images.classes))
    train(network, batches, lambda: DataLoader(tested, 64, num_workers=0), arguments)


if __name__ == "__main__":
    try:
        main()
    except GossipError as error:
        sys.exit(f"imagenet: {error}")
