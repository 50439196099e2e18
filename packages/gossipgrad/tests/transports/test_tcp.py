"""Plain TCP over loopback: ranks are objects of this process, each polled in turn."""

import socket
import threading
import time

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipgrad.errors import ConfigurationError, PeerLostError
from gossipgrad.transports import Channel
from gossipgrad.transports.tcp import TcpTransport
from gossipgrad.transports.tcp.rendezvous import RENDEZVOUS, Rendezvous, from_environment


class Mesh:
    """Some ranks and their store."""

    def __init__(self, size):
        self.size = size
        self.store = dist.HashStore()
        self.ranks = [None] * size
        threads = [threading.Thread(target=self.start, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    def start(self, rank):
        """Starts a rank, or starts it anew."""
        self.ranks[rank] = TcpTransport(Rendezvous(self.store, "127.0.0.1", rank, self.size))
        return self.ranks[rank]

    def kill(self, rank):
        """Ends a rank as the kernel ends a killed process: its sockets close."""
        transport = self.ranks[rank]
        transport._hang_up()
        transport._closed = True

    def until(self, reached, seconds=20):
        deadline = time.monotonic() + seconds
        while not reached():
            for transport in self.ranks:
                if not transport._closed:
                    transport.advance()
            assert time.monotonic() < deadline, "nothing happens"

    def close(self):
        threads = [threading.Thread(target=one.close) for one in self.ranks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)


@pytest.fixture
def mesh(request):
    made = Mesh(getattr(request, "param", 3))
    yield made
    made.close()


def numbers(count, start=0):
    period = torch.arange(start, start + 251).remainder(251).to(torch.uint8)
    return period.repeat(count // 251 + 1)[:count].contiguous()


@given(
    messages=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 3000)),
        min_size=1, max_size=12,
    ),
    early=st.data(),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_messages_match_by_peer_and_tag_in_order_whichever_side_comes_first(messages, early):
    mesh = Mesh(3)
    try:
        receives = []
        for number, (source, tag, length) in enumerate(messages):
            content = numbers(length, number)
            memory = torch.zeros(length, dtype=torch.uint8)
            if early.draw(st.booleans()):
                receives.append((mesh.ranks[2].receive(memory, source, tag), memory, content))
                mesh.ranks[source].send(content, 2, tag)
            else:
                mesh.ranks[source].send(content, 2, tag)
                mesh.ranks[2].advance()
                receives.append((mesh.ranks[2].receive(memory, source, tag), memory, content))
        mesh.until(lambda: all(pending.done() for pending, _, _ in receives))
        assert all(torch.equal(memory, content) for _, memory, content in receives)
    finally:
        mesh.close()


def test_large_messages_cross_both_ways_at_once_and_signals_are_not_forgotten(mesh):
    count = 20_000_000
    out, back = numbers(count), [torch.zeros(count, dtype=torch.uint8) for _ in range(2)]
    pendings = [mesh.ranks[rank].receive(back[rank], 1 - rank, 5) for rank in range(2)]
    pendings += [mesh.ranks[rank].send(out, 1 - rank, 5) for rank in range(2)]
    mesh.ranks[0].signal(1, b"beside it")
    mesh.until(lambda: all(pending.done() for pending in pendings))
    assert all(torch.equal(memory, out) for memory in back)
    heard = []
    mesh.until(lambda: heard.extend(mesh.ranks[1].signals()) or heard)
    assert heard == [(0, b"beside it")]


def test_a_receive_from_anybody_takes_what_comes_first(mesh):
    memory = torch.zeros(10, dtype=torch.uint8)
    pending = mesh.ranks[0].receive(memory, None, 9)
    mesh.ranks[2].send(numbers(10), 0, 9)
    mesh.until(pending.done)
    assert torch.equal(memory, numbers(10))


def test_a_cancelled_receive_leaves_its_memory_alone_and_the_stream_in_order(mesh):
    count = 16_000_000
    memory = torch.zeros(count, dtype=torch.uint8)
    pending = mesh.ranks[1].receive(memory, 0, 3)
    sending = mesh.ranks[0].send(numbers(count), 1, 3)
    mesh.ranks[1].advance()
    assert not pending.done()
    pending.cancel()
    seen = memory.clone()
    after = torch.zeros(10, dtype=torch.uint8)
    next_one = mesh.ranks[1].receive(after, 0, 3)
    mesh.ranks[0].send(numbers(10, 4), 1, 3)
    mesh.until(lambda: sending.done() and next_one.done())
    assert torch.equal(memory, seen)
    assert torch.equal(after, numbers(10, 4))


def test_a_death_ends_what_waits_for_it_and_leaves_what_it_had_sent(mesh):
    left = torch.zeros(10, dtype=torch.uint8)
    mesh.ranks[1].send(numbers(10), 0, 1)
    mesh.until(lambda: 1 in mesh.ranks[0]._mailroom._unclaimed)
    waiting = mesh.ranks[0].receive(torch.zeros(5, dtype=torch.uint8), 1, 2)
    anybody = mesh.ranks[0].receive(torch.zeros(5, dtype=torch.uint8), None, 8)
    mesh.kill(1)
    mesh.until(lambda: 1 in mesh.ranks[0].lost() and 1 in mesh.ranks[2].lost())
    with pytest.raises(PeerLostError, match="rank 1 is lost"):
        waiting.done()
    with pytest.raises(PeerLostError):
        mesh.ranks[0].send(numbers(10), 1, 1)
    assert mesh.ranks[0].receive(left, 1, 1).done()
    assert torch.equal(left, numbers(10))
    with pytest.raises(PeerLostError):
        mesh.ranks[0].receive(left, 1, 1)
    mesh.ranks[2].send(numbers(5), 0, 8)
    mesh.until(anybody.done)


def test_a_message_cut_by_a_death_is_received_from_somebody_else(mesh):
    count = 16_000_000
    memory = torch.zeros(count, dtype=torch.uint8)
    pending = mesh.ranks[0].receive(memory, None, 8)
    mesh.ranks[1].send(numbers(count), 0, 8)
    mesh.ranks[0].advance()
    mesh.kill(1)
    mesh.ranks[2].send(numbers(count, 9), 0, 8)
    mesh.until(pending.done)
    assert torch.equal(memory, numbers(count, 9))


def test_who_is_started_anew_joins_and_every_channel_hears_of_the_death_once(mesh):
    channels = [Channel(mesh.ranks[0]) for _ in range(2)]
    mesh.ranks[1].send(numbers(10), 0, 1)
    mesh.until(lambda: 1 in mesh.ranks[0]._mailroom._unclaimed)
    mesh.kill(1)
    new = mesh.start(1)
    assert new.joins
    assert not mesh.ranks[0].joins
    mesh.until(lambda: 1 in mesh.ranks[0].starts() and 1 in mesh.ranks[2].starts())
    assert mesh.ranks[0].lost() == ()
    assert [set(channel.lost()) for channel in channels] == [{1}, {1}]
    assert [set(channel.lost()) for channel in channels] == [set(), set()]
    memory = torch.zeros(10, dtype=torch.uint8)
    pending = mesh.ranks[0].receive(memory, 1, 1)
    new.send(numbers(10, 3), 0, 1)
    mesh.until(pending.done)
    assert torch.equal(memory, numbers(10, 3)), "the earlier life's message came"


def test_two_may_be_started_anew_at_the_same_time(mesh):
    mesh.kill(1)
    mesh.kill(2)
    threads = [threading.Thread(target=mesh.start, args=(rank,)) for rank in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    mesh.until(lambda: not any(transport.lost() for transport in mesh.ranks))
    for source, destination in ((1, 2), (2, 1), (0, 1), (2, 0)):
        memory = torch.zeros(10, dtype=torch.uint8)
        pending = mesh.ranks[destination].receive(memory, source, 4)
        mesh.ranks[source].send(numbers(10, source), destination, 4)
        mesh.until(pending.done)
        assert torch.equal(memory, numbers(10, source))


def test_strangers_are_not_let_in(mesh):
    port = mesh.ranks[0]._listener.getsockname()[1]
    for words in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(words)
            stranger.setblocking(False)
            mesh.until(lambda stranger=stranger: _has_ended(stranger))
    assert mesh.ranks[0].lost() == ()


def _has_ended(sock):
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_ranks_that_send_different_sizes_are_told(mesh):
    mesh.ranks[1].send(numbers(10), 0, 1)
    mesh.until(lambda: 1 in mesh.ranks[0]._mailroom._unclaimed)
    with pytest.raises(ConfigurationError, match=r"rank 1 sent 10 bytes .* where 11 were expected"):
        mesh.ranks[0].receive(torch.zeros(11, dtype=torch.uint8), 1, 1)


@pytest.mark.parametrize("mesh", [2], indirect=True)
def test_whoever_is_alone_after_a_new_start_is_told(mesh):
    mesh.kill(0)
    mesh.kill(1)
    with pytest.raises(ConfigurationError, match="rank 1 was started anew, but no other rank"):
        mesh.start(1)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK is 'x'"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK is 2; allowed with WORLD_SIZE 2: 0 to 1"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "tcp transport needs GOSSIPGRAD_RENDEZVOUS=HOST:PORT"),
        ({"RANK": "0", "WORLD_SIZE": "2", RENDEZVOUS: "here"}, "'here'; it must be HOST:PORT"),
    ],
)
def test_a_rank_without_rendezvous_is_told_what_is_missing(monkeypatch, environment, words):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", RENDEZVOUS):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=words):
        from_environment()
