"""Two clouds of points, told apart by two ranks that each see half of them.

gossipgrad run -n 2 quickstart.py              # or with --launcher tcp, where there is no MPI
"""

import torch
from torch import nn

from gossipgrad import GossipDataParallel, GossipSampler

chance = torch.Generator().manual_seed(0)
labels = torch.randint(2, (1024,), generator=chance)
points = torch.randn(1024, 16, generator=chance) + labels[:, None]

model = GossipDataParallel(nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
sampler = GossipSampler(labels)  # this rank's half
for _ in range(5):
    for rows in torch.tensor(list(sampler)).split(64):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(points[rows]), labels[rows]).backward()
        optimizer.step()  # the exchange runs during the next step

model.eval()  # from here on both ranks hold the same model
right = (model(points).argmax(1) == labels).float().mean()
if model.rank == 0:
    print(f"{model.world_size} ranks, {model.steps} exchanges, {right:.1%} right")
model.close()
