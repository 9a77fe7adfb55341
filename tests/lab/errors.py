"""What can go wrong in the lab, as exceptions."""

from __future__ import annotations


class LabError(Exception):
    """Something in the lab did not do what it was asked to."""


class LabDown(LabError):
    """The lab is not up, or no longer whole."""
