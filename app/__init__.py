"""Crypto-futures signal service: providers in, explained and measured signals out."""

__version__ = "0.1.0"
