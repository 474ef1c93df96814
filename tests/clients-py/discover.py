"""Looks for cameras with WSDiscovery and prints what it finds or hears, one JSON object a line.

discover.py probe [--type NAMESPACE LOCAL]... [--scope URI]...   one search
discover.py listen                                               Hello and Bye, until it is ended
"""

import argparse
import json
import threading

from wsdiscovery import QName, Scope
from wsdiscovery.discovery import ThreadedWSDiscovery


def tell(event, service=None, **more):
    told = {"event": event, **more}
    if service is not None:
        told["epr"] = service.getEPR()
        told["types"] = [f"{{{name.getNamespace()}}}{name.getLocalname()}" for name in service.getTypes()]
        told["scopes"] = [scope.getValue() for scope in service.getScopes()]
        told["xaddrs"] = list(service.getXAddrs())
    print(json.dumps(told), flush=True)


def probe(client, arguments):
    types = [QName(namespace, local) for namespace, local in arguments.type]
    scopes = [Scope(uri) for uri in arguments.scope]
    for service in client.searchServices(types=types or None, scopes=scopes or None, timeout=2):
        tell("found", service)
    tell("searched")


def listen(client):
    client.setRemoteServiceHelloCallback(lambda service: tell("hello", service))
    client.setRemoteServiceByeCallback(lambda epr: tell("bye", epr=epr))
    tell("listening")
    threading.Event().wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["probe", "listen"])
    parser.add_argument("--type", nargs=2, action="append", default=[])
    parser.add_argument("--scope", action="append", default=[])
    arguments = parser.parse_args()
    client = ThreadedWSDiscovery()
    client.start()
    if arguments.what == "listen":
        listen(client)
    else:
        probe(client, arguments)
    client.stop()


main()
