"""Where the project is on this machine, for what starts its commands and reads its files."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The folder with pyproject.toml."""
