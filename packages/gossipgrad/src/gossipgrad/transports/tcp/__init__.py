"""Plain TCP: no MPI, no process group, and a rank that died may be started anew."""

from gossipgrad.transports.tcp.transport import TcpTransport

__all__ = ["TcpTransport"]
