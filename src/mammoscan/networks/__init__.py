"""The networks: each file holds one architecture and returns an uncompiled ``keras.Model``."""

from mammoscan.networks.describe import describe_network, summarise_network
from mammoscan.networks.registry import build_network, list_networks

__all__ = ["build_network", "describe_network", "list_networks", "summarise_network"]
