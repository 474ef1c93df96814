"""Shows that the judge lets right messages pass and finds what is wrong with wrong ones."""

import base64
import json
import subprocess
import sys
import unittest
from pathlib import Path

import check

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing"
  xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"
  xmlns:tr2="http://www.onvif.org/ver20/media/wsdl" xmlns:tev="http://www.onvif.org/ver10/events/wsdl"
  xmlns:tan="http://www.onvif.org/ver20/analytics/wsdl"
  xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"
  xmlns:tns1="http://www.onvif.org/ver10/topics" xmlns:wstop="http://docs.oasis-open.org/wsn/t-1"
  xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:ours="urn:example:ours">
  <s:Header><wsa:Action>http://example.org/action</wsa:Action></s:Header>
  <s:Body>%s</s:Body>
</s:Envelope>"""

SERVICES = """<tds:GetServicesResponse><tds:Service>
  <tds:Namespace>http://www.onvif.org/ver10/media/wsdl</tds:Namespace><tds:XAddr>http://192.0.2.1/onvif/media</tds:XAddr>
  <tds:Capabilities><trt:Capabilities SnapshotUri="true">
    <trt:ProfileCapabilities MaximumNumberOfProfiles="8"/><trt:StreamingCapabilities RTP_RTSP_TCP="true"/>
  </trt:Capabilities></tds:Capabilities>
  <tds:Version><tt:Major>24</tt:Major><tt:Minor>12</tt:Minor></tds:Version>
</tds:Service></tds:GetServicesResponse>"""

DATE = """<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime>
  <tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>
  <tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone>
</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"""

PROFILES = """<tr2:GetProfilesResponse><tr2:Profiles token="ultra-hd" fixed="true"><tr2:Name>Ultra HD</tr2:Name>
  <tr2:Configurations><tr2:VideoEncoder token="v1"><tt:Name>v1</tt:Name><tt:UseCount>1</tt:UseCount>
    <tt:Encoding>H265</tt:Encoding><tt:Resolution><tt:Width>3840</tt:Width><tt:Height>2160</tt:Height></tt:Resolution>
    <tt:Quality>5</tt:Quality><ours:Tuning level="3"><ours:More/></ours:Tuning>
  </tr2:VideoEncoder></tr2:Configurations></tr2:Profiles></tr2:GetProfilesResponse>"""

TOPICS = """<tev:GetEventPropertiesResponse>
  <tev:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml</tev:TopicNamespaceLocation>
  <wsnt:FixedTopicSet>true</wsnt:FixedTopicSet>
  <wstop:TopicSet><tns1:VideoSource><MotionAlarm wstop:topic="true"><tt:MessageDescription IsProperty="true">
    <tt:Source><tt:SimpleItemDescription Name="Source" Type="tt:ReferenceToken"/></tt:Source>
  </tt:MessageDescription></MotionAlarm></tns1:VideoSource></wstop:TopicSet>
  <wsnt:TopicExpressionDialect>http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet</wsnt:TopicExpressionDialect>
  <tev:MessageContentFilterDialect>http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter</tev:MessageContentFilterDialect>
  <tev:MessageContentSchemaLocation>http://www.onvif.org/onvif/ver10/schema/onvif.xsd</tev:MessageContentSchemaLocation>
</tev:GetEventPropertiesResponse>"""

MODULES = """<tan:GetAnalyticsModulesResponse><tan:AnalyticsModule Name="motion" Type="tt:CellMotionEngine"><tt:Parameters>
  <tt:SimpleItem Name="Sensitivity" Value="6"/>
  <tt:ElementItem Name="Layout"><tt:CellLayout Columns="22" Rows="15"><tt:Transformation>
    <tt:Translate x="-1" y="-1"/><tt:Scale x="0.1" y="0.1"/>
  </tt:Transformation></tt:CellLayout></tt:ElementItem>
</tt:Parameters></tan:AnalyticsModule></tan:GetAnalyticsModulesResponse>"""

EVENTS = """<tev:PullMessagesResponse>
  <tev:CurrentTime>2026-01-01T00:00:00Z</tev:CurrentTime><tev:TerminationTime>2026-01-01T00:01:00Z</tev:TerminationTime>
  <wsnt:NotificationMessage>
    <wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">tns1:VideoSource/MotionAlarm</wsnt:Topic>
    <wsnt:Message><tt:Message UtcTime="2026-01-01T00:00:00Z" PropertyOperation="Initialized">
      <tt:Source><tt:SimpleItem Name="Source" Value="v"/></tt:Source>
      <tt:Data><tt:SimpleItem Name="State" Value="true"/></tt:Data>
    </tt:Message></wsnt:Message>
  </wsnt:NotificationMessage>
</tev:PullMessagesResponse>"""

FAULT = """<s:Fault>
  <s:Code><s:Value>s:Sender</s:Value>
    <s:Subcode><s:Value>ter:InvalidArgVal</s:Value><s:Subcode><s:Value>ter:NoProfile</s:Value></s:Subcode></s:Subcode>
  </s:Code>
  <s:Reason><s:Text xml:lang="en">There is no such profile.</s:Text></s:Reason>
  <s:Detail><s:Text>p1</s:Text></s:Detail>
</s:Fault>"""

#: What is done to a right body (what is replaced, by what), and what the judge must say.
WRONG = {
    "element that no schema declares": (DATE, "GetSystemDateAndTimeResponse", "GetSystemDateResponse", "is not declared"),
    "namespace of another service": (DATE, "tds:GetSystemDateAndTimeR", "trt:GetSystemDateAndTimeR", "is not declared"),
    "namespace of nobody": (DATE, "tds:GetSystemDateAndTimeR", "ours:GetSystemDateAndTimeR", "is not declared"),
    "child in another namespace": (DATE, "tds:SystemDateAndTime>", "tt:SystemDateAndTime>", "Unexpected child"),
    "wrong order": (
        SERVICES,
        "<tt:Major>24</tt:Major><tt:Minor>12</tt:Minor>",
        "<tt:Minor>12</tt:Minor><tt:Major>24</tt:Major>",
        "Unexpected child with tag 'tt:Minor'",
    ),
    "missing element": (SERVICES, "<tt:Minor>12</tt:Minor>", "", "tt:Minor"),
    "missing attribute": (PROFILES, 'token="v1"', "", "token"),
    "wrong value": (DATE, ">NTP<", ">Ntp<", "must be one of"),
    "wrong number": (PROFILES, ">2160<", ">2160p<", "Height"),
    "undeclared child": (DATE, "</tds:SystemDateAndTime>", "<tt:Mood>good</tt:Mood></tds:SystemDateAndTime>", "tt:Mood"),
    "undeclared child under a wildcard": (PROFILES, "ours:Tuning", "tt:Tuning", "Tuning is not declared"),
    "undeclared child below a foreign one": (PROFILES, "<ours:More/>", "<tt:More/>", "More is not declared"),
    "wrong child below a foreign one": (TOPICS, ' Name="Source"', "", "Name"),
    "wrong message of an event": (EVENTS, "Initialized", "Initialised", "must be one of"),
    "wrong element of an event": (EVENTS, "tt:Message", "tt:Massage", "Massage is not declared"),
    "wrong parameter": (MODULES, 'Rows="15"', 'Rows="many"', "Rows"),
    "undeclared attribute": (SERVICES, "SnapshotUri=", "SnapshotUrl=", "SnapshotUrl is not declared"),
    "empty body": (DATE, DATE, "", "0 elements"),
    "two elements in the body": (DATE, DATE, DATE + DATE, "2 elements"),
    "fault without a reason": (FAULT, FAULT[FAULT.index("<s:Reason>") : FAULT.index("<s:Detail>")], "", "s:Reason"),
    "fault with an empty reason": (FAULT, "There is no such profile.", "", "empty Reason"),
    "fault without a language": (FAULT, ' xml:lang="en"', "", "lang"),
    "fault with a code of its own": (FAULT, "s:Sender", "s:Client", "must be one of"),
    "fault with a code of SOAP 1.1": (FAULT, "<s:Value>s:Sender</s:Value>", "<faultcode>s:Sender</faultcode>", "faultcode"),
    "fault with something else of SOAP in its detail": (FAULT, "<s:Text>p1</s:Text>", "<s:Node/>", "Node is not declared"),
    "fault with a subcode of no namespace": (FAULT, "ter:NoProfile", "NoProfile", "in no namespace"),
    "fault with a prefix that nobody binds": (FAULT, "ter:NoProfile", "err:NoProfile", "err"),
}

#: The same with the whole envelope.
WRONG_ENVELOPE = {
    "SOAP 1.1": ("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/", "no SOAP 1.2"),
    "no body": ("Body>", "Corpse>", "Corpse"),
    "document type": ("<s:Envelope", "<!DOCTYPE s:Envelope>\n<s:Envelope", "document type"),
    "processing instruction": ("<s:Header>", "<?php?><s:Header>", "processing instruction"),
    "cut short": ("</s:Envelope>", "", "not well-formed"),
    "another encoding": ('encoding="UTF-8"', 'encoding="ISO-8859-1"', "ISO-8859-1"),
    "undeclared header of a known namespace": ("wsa:Action>", "wsa:Akshun>", "Akshun is not declared"),
}


class CheckTest(unittest.TestCase):
    """The judge on messages that this file makes up."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.schema = check.load()

    def errors(self, message: str) -> list[str]:
        """Judges a text."""
        return check.check(self.schema, message.encode())

    def test_right_messages_pass(self) -> None:
        for body in SERVICES, DATE, PROFILES, TOPICS, MODULES, EVENTS, FAULT:
            self.assertEqual(self.errors(ENVELOPE % body), [], body)

    def test_wrong_bodies_are_found(self) -> None:
        for name, (body, old, new, expected) in WRONG.items():
            with self.subTest(name):
                self.assertIn(old, body)
                errors = self.errors(ENVELOPE % body.replace(old, new))
                self.assertTrue(any(expected in error for error in errors), errors)

    def test_wrong_envelopes_are_found(self) -> None:
        for name, (old, new, expected) in WRONG_ENVELOPE.items():
            with self.subTest(name):
                message = ENVELOPE % DATE
                self.assertIn(old, message)
                errors = self.errors(message.replace(old, new))
                self.assertTrue(any(expected in error for error in errors), errors)

    def test_prefixes_are_free(self) -> None:
        bare = DATE.replace("tds:", "").replace("Response>", 'Response xmlns="http://www.onvif.org/ver10/device/wsdl">', 1)
        self.assertEqual(self.errors(ENVELOPE % bare), [])

    def test_lines_are_answered(self) -> None:
        message = base64.b64encode((ENVELOPE % DATE).encode()).decode()
        requests = [{"id": 7, "message": message}, {"id": "own", "path": __file__}]
        answers = run(["--lines"], "".join(json.dumps(request) + "\n" for request in requests)).stdout.splitlines()
        ready, first, second = map(json.loads, answers)
        self.assertEqual((ready, first), ({"ready": True}, {"id": 7, "errors": []}))
        self.assertEqual(second["id"], "own")
        self.assertIn("not well-formed", second["errors"][0])

    def test_a_file_is_judged(self) -> None:
        process = run([__file__])
        self.assertEqual(process.returncode, 1)
        self.assertIn("test_check.py: not well-formed", process.stdout)


def run(arguments: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the judge as a command."""
    command = [sys.executable, str(Path(check.__file__)), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    unittest.main()
