"""Trunks: layers that can be built block by block, and the architectures made of them."""
