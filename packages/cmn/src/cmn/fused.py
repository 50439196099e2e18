"""Fused: loss and gradients of the memory network in two compiled loops, without autograd.

At the paper's 128 triples a step torch spends its time on starting some two hundred small
operations and on gradients of whole tables. Here numba compiles the same equations to loops over
the pairs' neighbourhoods, read where they lie. The functions are plain Python, so that they also
run, slowly, uncompiled.

Letters: B pairs, S members of all their neighbourhoods, H hops, P users, Q items, d the embedding
size.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cmn.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Ints: TypeAlias = NDArray[np.int64]


class Weights(NamedTuple):
    """A network's weights, or their gradients.

    Attributes:
        user: M, (P, d).
        item: E, (Q, d).
        external: C, (P, d).
        hops: W^h, (H - 1, d, d).
        hop_biases: b^h, (H - 1, d).
        output: [U, W], (d, 2 d).
        output_bias: b, (d,).
        last: v, (d,).
    """

    user: Floats
    item: Floats
    external: Floats
    hops: Floats
    hop_biases: Floats
    output: Floats
    output_bias: Floats
    last: Floats


class Pairs(NamedTuple):
    """User-item pairs and the neighbourhoods they read.

    Attributes:
        users: (B,).
        items: (B,).
        offsets: where each pair's members start and, last, where they end, (B + 1,).
        members: (S,).
    """

    users: Ints
    items: Ints
    offsets: Ints
    members: Ints


class Trace(NamedTuple):
    """What the way back needs of the way there.

    Attributes:
        queries: z^h, (H, B, d).
        weights: p^h, (H, S).
        joined: [m_u * e_i, o^H], (B, 2 d).
        hidden: the output layer's, (B, d).
        scores: r_ui, (B,).
    """

    queries: Floats
    weights: Floats
    joined: Floats
    hidden: Floats
    scores: Floats


def gather(users: Ints, items: Ints, starts: Ints, lists: Ints, exclude_self: bool) -> Pairs:
    """Returns pairs (B,) with N(i), without the user itself if so asked.

    Args:
        users: (B,).
        items: (B,).
        starts: where each item's list starts and, last, where they end, (Q + 1,).
        lists: all users of all items.
        exclude_self: strike u out of N(i).
    """
    size = 0
    for item in items:
        size += starts[item + 1] - starts[item]
    members = np.empty(size, np.int64)
    offsets = np.zeros(len(items) + 1, np.int64)
    end = 0
    for b in range(len(items)):
        for place in range(starts[items[b]], starts[items[b] + 1]):
            if not exclude_self or lists[place] != users[b]:
                members[end] = lists[place]
                end += 1
        offsets[b + 1] = end
    return Pairs(users, items, offsets, members[:end])


def forward(  # noqa: PLR0912  numba cannot call a part of it that is plain Python
    weights: Weights, pairs: Pairs, uniform: bool, relu: bool
) -> Trace:
    """Returns r_ui and what led to it (eq. 1-6, as `CMNNetwork.forward`)."""
    users, items, offsets, members = pairs
    user_memory, item_memory, external, hop_weights, hop_biases = weights[:5]
    count, d, hops = len(users), user_memory.shape[1], len(hop_weights) + 1
    real = user_memory.dtype.type
    queries = np.empty((hops, count, d), user_memory.dtype)
    attention = np.empty((hops, len(members)), user_memory.dtype)
    joined = np.zeros((count, 2 * d), user_memory.dtype)
    output = joined[:, d:]
    for b in range(count):
        for k in range(d):
            queries[0, b, k] = user_memory[users[b], k] + item_memory[items[b], k]
            joined[b, k] = user_memory[users[b], k] * item_memory[items[b], k]
    for h in range(hops):
        if h:
            product = np.dot(queries[h - 1], hop_weights[h - 1].T)
            for b in range(count):
                for k in range(d):
                    summed = product[b, k] + hop_biases[h - 1, k] + output[b, k]
                    queries[h, b, k] = max(summed, real(0)) if relu else summed
                    output[b, k] = 0
        for b in range(count):
            query, read, start, end = queries[h, b], output[b], offsets[b], offsets[b + 1]
            highest = real(-np.inf)
            for s in range(start, end):
                logit, key = real(0), user_memory[members[s]]
                if not uniform:
                    for k in range(d):
                        logit += query[k] * key[k]
                attention[h, s] = logit
                highest = max(highest, logit)
            total = real(0)
            for s in range(start, end):
                attention[h, s] = np.exp(attention[h, s] - highest)
                total += attention[h, s]
            for s in range(start, end):
                attention[h, s] /= total
                weight, value = attention[h, s], external[members[s]]
                for k in range(d):
                    read[k] += weight * value[k]
    hidden = np.dot(joined, weights.output.T)
    for b in range(count):
        for k in range(d):
            summed = hidden[b, k] + weights.output_bias[k]
            hidden[b, k] = max(summed, real(0)) if relu else summed
    return Trace(queries, attention, joined, hidden, np.dot(hidden, weights.last))


def backward(  # noqa: PLR0912, PLR0917  the same; numba takes no keywords
    weights: Weights,
    pairs: Pairs,
    trace: Trace,
    slopes: Floats,
    gradients: Weights,
    uniform: bool,
    relu: bool,
) -> None:
    """Adds to `gradients` those of a loss whose gradients by the scores are `slopes`, (B,)."""
    users, items, offsets, members = pairs
    user_memory, item_memory, external, hop_weights = weights[:4]
    user_gradient, item_gradient, external_gradient = gradients[:3]
    count, d, hops = len(users), user_memory.shape[1], len(hop_weights) + 1
    real, by_weight = user_memory.dtype.type, np.empty(len(members), user_memory.dtype)
    hidden = np.empty_like(trace.hidden)
    for b in range(count):
        for k in range(d):
            gradients.last[k] += slopes[b] * trace.hidden[b, k]
            passed = not relu or trace.hidden[b, k] > 0
            hidden[b, k] = slopes[b] * weights.last[k] if passed else 0
            gradients.output_bias[k] += hidden[b, k]
    gradients.output[:] += np.dot(hidden.T, trace.joined)
    joined = np.dot(hidden, weights.output)
    query = np.zeros((count, d), user_memory.dtype)
    output = np.empty((count, d), user_memory.dtype)
    for b in range(count):
        for k in range(d):
            user_gradient[users[b], k] += joined[b, k] * item_memory[items[b], k]
            item_gradient[items[b], k] += joined[b, k] * user_memory[users[b], k]
            output[b, k] = joined[b, d + k]
    for h in range(hops - 1, -1, -1):
        attention, queries = trace.weights[h], trace.queries[h]
        for b in range(count):
            start, end = offsets[b], offsets[b + 1]
            by_read, by_query, asked = output[b], query[b], queries[b]
            mean = real(0)
            for s in range(start, end):
                along, weight, v = real(0), attention[s], members[s]
                value, by_value = external[v], external_gradient[v]
                for k in range(d):
                    along += by_read[k] * value[k]
                for k in range(d):
                    by_value[k] += weight * by_read[k]
                by_weight[s] = along
                mean += weight * along
            if not uniform:
                for s in range(start, end):
                    v, by_logit = members[s], attention[s] * (by_weight[s] - mean)
                    key, by_key = user_memory[v], user_gradient[v]
                    for k in range(d):
                        by_query[k] += by_logit * key[k]
                    for k in range(d):
                        by_key[k] += by_logit * asked[k]
        if h:
            for b in range(count):
                for k in range(d):
                    passed = not relu or queries[b, k] > 0
                    output[b, k] = query[b, k] if passed else 0
                    gradients.hop_biases[h - 1, k] += output[b, k]
            gradients.hops[h - 1] += np.dot(output.T, trace.queries[h - 1])
            query = np.dot(output, hop_weights[h - 1])
    for b in range(count):
        for k in range(d):
            user_gradient[users[b], k] += query[b, k]
            item_gradient[items[b], k] += query[b, k]


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function of this room as machine code.

    Raises:
        MissingDependencyError: numba is not installed.
    """
    try:
        numba = import_module("numba")
    except ImportError as error:
        raise MissingDependencyError(
            "engine is 'numba', which the extra cmn[fast] brings;"
            " install it with: pip install numba"
        ) from error
    return numba.njit(cache=True, fastmath={"reassoc", "contract"}, error_model="numpy")(function)
