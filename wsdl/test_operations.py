"""Shows that operations.toml is complete, and that the comparison finds what is not."""

import copy
import tomllib
import unittest
from typing import Any

import operations


class OperationsTest(unittest.TestCase):
    """The table against the official files, as it is and spoilt."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.official = operations.official()
        cls.table = tomllib.loads(operations.TABLE.read_text())

    def complaints(self, table: dict[str, Any]) -> list[str]:
        """Compares."""
        return list(operations.complaints(table, self.official))

    def test_the_table_is_complete(self) -> None:
        self.assertEqual(self.complaints(self.table), [])
        self.assertEqual(len(self.official), 361)

    def test_relays_of_deviceio_have_the_elements_of_device(self) -> None:
        self.assertEqual(
            self.official["deviceio", "GetRelayOutputs"], "{http://www.onvif.org/ver10/device/wsdl}GetRelayOutputs"
        )

    def test_what_is_spoilt_is_found(self) -> None:
        spoilt = {
            "device.GetServices: no row": lambda rows: rows.pop(0),
            "device.GetServices: 2 rows": lambda rows: rows.append(rows[0]),
            "device.GetService: no such operation": lambda rows: rows[0].update(name="GetService"),
            "device.GetServices: {http://www.onvif.org/ver10/media/wsdl}GetServices, where": lambda rows: rows[0].update(
                element="trt:GetServices"
            ),
            "device.GetServices: {None}, where": lambda rows: rows[0].update(element="GetServices"),
            "device.GetServices: no such access class": lambda rows: rows[0].update({"class": "PUBLIC"}),
            "device.GetServices: no such state": lambda rows: rows[0].update(state="planned"),
        }
        for expected, spoil in spoilt.items():
            with self.subTest(expected):
                table = copy.deepcopy(self.table)
                spoil(table["services"]["device"])
                complaints = self.complaints(table)
                self.assertTrue(any(complaint.startswith(expected) for complaint in complaints), complaints)


if __name__ == "__main__":
    unittest.main()
