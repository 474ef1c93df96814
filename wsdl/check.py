"""Judges SOAP messages by the official schemas.

    check.py FILE...    a message a file; prints what is wrong with it, and ends with 1 if anything is
    check.py --lines    for many messages: JSON lines on stdin, {"id": …, "message": base64} or {"id": …, "path": …},
                        each answered on stdout by {"id": …, "errors": [text, …]}; a first line {"ready": true} comes when
                        the schemas are loaded

A message is right if it is

- well-formed XML in UTF-8, without a document type and processing instructions (SOAP 1.2 part 1, section 5);
- valid by the schemas, which are taken as they are published. They need XSD 1.1: in 1.0 they are ambiguous;
- explicit where the schemas are lax. Nearly every ONVIF type ends in a wildcard that lets anything pass, a mistyped element
  too. So what stands under a wildcard and claims to be of a namespace that we have the schema of must be declared there, and
  a declared element takes no undeclared attribute without a namespace;
- one declared element, or one fault, in its Body;
- in a fault, a code and subcodes that name something, and a reason that says something.
"""

import argparse
import base64
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from xmlschema import XMLSchema11, XMLSchemaTypeTableWarning
from xmlschema.validators import XsdAnyElement, XsdElement

from services import FILES, type_sections

SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
#: What Core prints in its pattern of a fault (5.8.2.1), and no schema declares: text in the Detail.
DETAIL_TEXT = [f"{SOAP}Detail", f"{SOAP}Text"]
#: What no WSDL imports, or only under a namespace that is imported from another file already; and what no file has.
MORE_FILES = [
    FILES / "ver10/schema/metadatastream.xsd",
    FILES / "ver20/analytics/rules.xsd",
    Path(__file__).with_name("more.xsd"),
]


def load() -> XMLSchema11:
    """Loads the envelope and every service's types into one schema; takes about a second and a half."""
    schema = XMLSchema11(FILES / "schema/common/soap-envelope", allow="local", build=False)
    for text, base in type_sections():
        schema.add_schema(text, base_url=base)
    for path in MORE_FILES:
        schema.add_schema(path)
    with warnings.catch_warnings():
        # A device's Capabilities and its services' Capabilities have one name and different types, on purpose.
        warnings.simplefilter("ignore", XMLSchemaTypeTableWarning)
        schema.build()
    return schema


def check(schema: XMLSchema11, message: bytes) -> list[str]:
    """Says everything that is wrong with a message."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(message, parser)
    except etree.XMLSyntaxError as error:
        return [f"not well-formed: {error}"]
    return [*document_errors(root), *schema_errors(schema, root), *body_errors(schema, root)]


def document_errors(root: etree._Element) -> Iterator[str]:
    """Finds what a SOAP document may not have although XML does."""
    document = root.getroottree().docinfo
    if (document.encoding or "UTF-8").upper() != "UTF-8":
        yield f"encoded in {document.encoding}, not in UTF-8"
    if document.doctype:
        yield "has a document type"
    if next(root.getroottree().iter(etree.ProcessingInstruction), None) is not None:
        yield "has a processing instruction"


def schema_errors(schema: XMLSchema11, root: etree._Element) -> Iterator[str]:
    """Validates, and looks under the wildcards; an error begins with the place."""
    if root.tag != f"{SOAP}Envelope":
        yield f"/: {root.tag} is no SOAP 1.2 envelope"
        return
    undeclared: list[str] = []

    def look(element: etree._Element, declaration: XsdElement) -> bool:
        """Is shown every element, with its declaration or what a wildcard made up for want of one."""
        place = root.getroottree().getpath(element)
        if isinstance(declaration.parent, XsdAnyElement):
            parent = element.getparent()
            if parent is not None and [parent.tag, element.tag] == DETAIL_TEXT:
                return False
            if etree.QName(element).namespace in schema.maps.namespaces:
                undeclared.append(f"{place}: element {element.tag} is not declared")
        elif not declaration.type.is_simple():
            known = declaration.attributes
            names = [name for name in element.attrib if not name.startswith("{") and name not in known]
            undeclared.extend(f"{place}: attribute {name} is not declared" for name in names)
        return False

    for error in schema.iter_errors(root, validation_hook=look):
        yield f"{error.path}: {error.reason or error.message}"
    yield from undeclared


def body_errors(schema: XMLSchema11, root: etree._Element) -> Iterator[str]:
    """Checks that the Body holds one thing that somebody has declared."""
    body = root.find(f"{SOAP}Body")
    if body is None:
        return  # The schema has said so.
    children = list(body.iterchildren(etree.Element))
    if len(children) != 1:
        yield f"Body: {len(children)} elements, not one"
    for child in children:
        if child.tag == f"{SOAP}Fault":
            yield from fault_errors(child)
        elif child.tag not in schema.maps.elements:
            yield f"Body: element {child.tag} is not declared"


def fault_errors(fault: etree._Element) -> Iterator[str]:
    """Checks of a fault what the schema does not: that codes have a namespace and that texts are not blank."""
    for value in fault.iterfind(f"{SOAP}Code//{SOAP}Value"):
        name = (value.text or "").strip()
        if ":" not in name and None not in value.nsmap:
            yield f"Fault: code {name!r} is in no namespace"
    for text in fault.iterfind(f"{SOAP}Reason/{SOAP}Text"):
        if not (text.text or "").strip():
            yield "Fault: an empty Reason"


def answer_lines(schema: XMLSchema11) -> None:
    """Answers JSON lines until stdin ends."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        message = Path(request["path"]).read_bytes() if "path" in request else base64.b64decode(request["message"])
        print(json.dumps({"id": request["id"], "errors": check(schema, message)}), flush=True)


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description="Judges SOAP messages by the official schemas.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--lines", action="store_true", help="answer JSON lines on stdin")
    what.add_argument("files", nargs="*", default=[], type=Path, help="messages, one a file")
    arguments = parser.parse_args()
    schema = load()
    if arguments.lines:
        answer_lines(schema)
        return 0
    wrong = [f"{path}: {error}" for path in arguments.files for error in check(schema, path.read_bytes())]
    print("".join(f"{line}\n" for line in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
