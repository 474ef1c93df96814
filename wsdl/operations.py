"""Holds operations.toml against the official files.

    operations.py --check    says which operations are missing, are none, or have another request element; ends with 1 then
    operations.py --list     prints what the official files have: service, operation, request element
"""

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from services import SERVICES, WSDL, description

TABLE = Path(__file__).with_name("operations.toml")

#: Core, section on access classes for service requests.
CLASSES = {
    "PRE_AUTH",
    "READ_SYSTEM",
    "READ_SYSTEM_SENSITIVE",
    "READ_SYSTEM_SECRET",
    "WRITE_SYSTEM",
    "UNRECOVERABLE",
    "READ_MEDIA",
    "ACTUATE",
}
STATES = {"implemented", "faulting"}
#: Bindings of the events' WSDL that the client serves, not the device.
OF_THE_CLIENT = {"NotificationConsumerBinding"}

#: A service and an operation.
Key = tuple[str, str]


def official() -> dict[Key, str]:
    """Reads every operation that a device may be asked for, with its request element as {namespace}name."""
    operations = {}
    for service in SERVICES:
        files = list(with_imports(description(service).getroot()))
        messages = {name: message for file in files for name, message in named(file, "message")}
        port_types = {name: port_type for file in files for name, port_type in named(file, "portType")}
        for binding in files[0].iterfind(f"{WSDL}binding"):
            if binding.get("name") in OF_THE_CLIENT:
                continue
            for operation in port_types[resolved(binding, "type")].iterfind(f"{WSDL}operation"):
                message = messages[resolved(operation.find(f"{WSDL}input"), "message")]
                operations[service, operation.get("name")] = resolved(message.find(f"{WSDL}part"), "element")
    return operations


def with_imports(root: etree._Element) -> Iterator[etree._Element]:
    """Goes through a WSDL and those that it imports."""
    yield root
    for imported in root.iterfind(f"{WSDL}import"):
        path = (Path(root.base.removeprefix("file://")).parent / imported.get("location")).resolve()
        yield from with_imports(etree.parse(path).getroot())


def named(root: etree._Element, kind: str) -> Iterator[tuple[str, etree._Element]]:
    """Finds the definitions of a kind, with their qualified names."""
    for definition in root.iterfind(f"{WSDL}{kind}"):
        yield f"{{{root.get('targetNamespace')}}}{definition.get('name')}", definition


def resolved(element: etree._Element, attribute: str) -> str:
    """Resolves the qualified name in an attribute."""
    prefix, _, name = element.get(attribute).rpartition(":")
    return f"{{{element.nsmap[prefix or None]}}}{name}"


def complaints(table: dict[str, Any], operations: dict[Key, str]) -> Iterator[str]:
    """Compares the table with the official operations."""
    rows = [((service, row["name"]), row) for service, found in table["services"].items() for row in found]
    times = Counter(key for key, _ in rows)
    yield from (f"{'.'.join(key)}: {count} rows" for key, count in times.items() if count > 1)
    yield from (f"{'.'.join(key)}: no row" for key in operations if key not in times)
    for key, row in rows:
        where = ".".join(key)
        prefix, _, name = row["element"].partition(":")
        element = f"{{{table['namespaces'].get(prefix)}}}{name}"
        if key not in operations:
            yield f"{where}: no such operation"
        elif element != operations[key]:
            yield f"{where}: {element}, where the WSDL has {operations[key]}"
        if row["class"] not in CLASSES:
            yield f"{where}: no such access class: {row['class']}"
        if row["state"] not in STATES:
            yield f"{where}: no such state: {row['state']}"


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description="Holds operations.toml against the official files.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="compare")
    what.add_argument("--list", action="store_true", help="print what the official files have")
    if parser.parse_args().list:
        for (service, name), element in official().items():
            print(service, name, element)
        return 0
    found = list(complaints(tomllib.loads(TABLE.read_text()), official()))
    print("".join(f"{complaint}\n" for complaint in found), end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
