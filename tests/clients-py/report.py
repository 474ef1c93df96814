"""What the drivers have in common: a JSON line on stdout for each thing that a client found, or was refused."""

import json
import sys

from zeep.exceptions import Fault


def found(name, value):
    """Says what a client found."""
    print(json.dumps({"name": name, "value": value}), flush=True)


def refused(name, error):
    """Says that a client was refused, with what it made of the answer: the subcodes if it was a fault."""
    fault = getattr(error, "original_exception", error)
    subcodes = [subcode.text for subcode in fault.subcodes or []] if isinstance(fault, Fault) else None
    print(json.dumps({"name": name, "refused": str(error) or repr(error), "subcodes": subcodes}), flush=True)


def encoder(configuration):
    """Describes a video encoder configuration of either media service."""
    return {
        "encoding": configuration.Encoding,
        "width": configuration.Resolution.Width,
        "height": configuration.Resolution.Height,
        "rate": configuration.RateControl.FrameRateLimit,
        "kbps": configuration.RateControl.BitrateLimit,
    }


def options():
    """Reads the step and its options from the command line."""
    return sys.argv[1], json.loads(sys.argv[2])
