"""Fits CMN on a made community of readers and puts it beside popularity, in a few seconds.

Run it with: python packages/cmn/examples/quickstart.py
"""

import numpy as np
from scipy import sparse

from cmn import CMN, Dataset, Interactions, Popularity, evaluate, split_dataset


def community(seed: int = 0) -> sparse.csr_array:
    """Returns 300 readers x 200 books in five genres; readers keep mostly to one of them."""
    generator = np.random.default_rng(seed)
    taste, genre = generator.integers(5, size=300), generator.integers(5, size=200)
    appeal = generator.beta(1, 3, size=200)
    chance = appeal * np.where(taste[:, None] == genre, 0.6, 0.05)
    return sparse.csr_array((generator.random((300, 200)) < chance).astype(np.float32))


def main() -> None:
    """Fits, recommends, and reads the test set once."""
    matrix = community()
    readers, books = (np.arange(size) for size in matrix.shape)
    split = split_dataset(Dataset(Interactions(matrix, readers, books)), seed=0)

    model = CMN(embedding_dim=16, pretrain_epochs=20, epochs=8, learning_rate=5e-3, batch_size=128)
    model.fit(split.train, split.validation)
    ids, scores = model.recommend([0, 1], n=3)
    for reader in range(2):
        best = ", ".join(f"{i} ({s:.2f})" for i, s in zip(ids[reader], scores[reader], strict=True))
        print(f"reader {reader}: books {best}")

    popularity = evaluate(Popularity().fit(split.train), split.test, split.known)
    ours = model.evaluate(split.test, seen=split.known)
    print(f"test NDCG@10: CMN {ours['ndcg@10']:.3f}, popularity {popularity['ndcg@10']:.3f}")


if __name__ == "__main__":
    main()
