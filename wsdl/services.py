"""Which services Belvedere speaks, or will, and where their official files are."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

#: Where `scripts/schemas` puts the official files.
FILES = Path(__file__).resolve().parent.parent / ".tools" / "wsdl"

#: The services, by the name that operations.toml gives them.
SERVICES = {
    "device": "ver10/device/wsdl/devicemgmt.wsdl",
    "media": "ver10/media/wsdl/media.wsdl",
    "media2": "ver20/media/wsdl/media.wsdl",
    "deviceio": "ver10/deviceio.wsdl",
    "imaging": "ver20/imaging/wsdl/imaging.wsdl",
    "events": "ver10/events/wsdl/event.wsdl",
    "analytics": "ver20/analytics/wsdl/analytics.wsdl",
    "recording": "ver10/recording.wsdl",
    "search": "ver10/search.wsdl",
    "replay": "ver10/replay.wsdl",
}
#: The services of other devices, which the device test tool may meet: their messages are judged as well.
OTHERS = {
    "ptz": "ver20/ptz/wsdl/ptz.wsdl",
}

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
XSD = "{http://www.w3.org/2001/XMLSchema}"


def description(service: str) -> etree._ElementTree:
    """Reads the WSDL of a service."""
    return etree.parse(FILES / SERVICES[service])


def type_sections() -> Iterator[tuple[str, str]]:
    """Cuts the schemas out of all WSDLs: their text, and the address that their import locations are relative to."""
    for path in [*SERVICES.values(), *OTHERS.values()]:
        for schema in etree.parse(FILES / path).iterfind(f"{WSDL}types/{XSD}schema"):
            yield etree.tostring(schema, encoding="unicode", with_tail=False), (FILES / path).parent.as_uri() + "/"
