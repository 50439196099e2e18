"""The paper's network written a second time, with padding, loops and no code of the package."""

import numpy as np
import torch


def padded_scores(weights, users, items, lists, *, attend=True, cut=True):
    """Scores pairs with N(i) padded to the longest list; `weights` maps names to tensors.

    The ablations: `attend` is False, every member counts the same; `cut` is False, no ReLU.

    Names: M, E, C, hops = [(W, b), ...], U, W, b, v.
    """
    floor = 0.0 if cut else -torch.inf
    longest = max(1, *(len(members) for members in lists))
    index = torch.zeros(len(lists), longest, dtype=torch.int64)
    mask = torch.zeros(len(lists), longest, dtype=torch.bool)
    for row, members in enumerate(lists):
        index[row, : len(members)] = torch.tensor(members, dtype=torch.int64)
        mask[row, : len(members)] = True
    user, item = weights["M"][users], weights["E"][items]
    keys, values = weights["M"][index], weights["C"][index]

    def neighbourhood(query):
        logits = torch.einsum("bd,bld->bl", query, keys) * float(attend)
        logits = logits.masked_fill(~mask, -1e300)
        attention = torch.softmax(logits, dim=1) * mask
        return torch.einsum("bl,bld->bd", attention, values)

    query = user + item
    output = neighbourhood(query)
    for matrix, bias in weights["hops"]:
        query = torch.clamp(query @ matrix.T + output + bias, min=floor)
        output = neighbourhood(query)
    inner = (user * item) @ weights["U"].T + output @ weights["W"].T + weights["b"]
    return torch.clamp(inner, min=floor) @ weights["v"]


def loop_score(weights, user, item, members):
    """Scores one pair by plain numpy loops over members."""
    arrays = {name: value.detach().numpy() for name, value in weights.items() if name != "hops"}
    m, e = arrays["M"][user], arrays["E"][item]

    def neighbourhood(query):
        total, output = 0.0, np.zeros_like(m)
        logits = [sum(query[k] * arrays["M"][v][k] for k in range(len(m))) for v in members]
        for v, logit in zip(members, logits, strict=True):
            power = np.exp(logit - max(logits))
            total += power
            output = output + power * arrays["C"][v]
        return output / total if members else output

    query = m + e
    output = neighbourhood(query)
    for matrix, bias in weights["hops"]:
        query = np.maximum(matrix.detach().numpy() @ query + output + bias.detach().numpy(), 0)
        output = neighbourhood(query)
    inner = arrays["U"] @ (m * e) + arrays["W"] @ output + arrays["b"]
    return float(arrays["v"] @ np.maximum(inner, 0))
