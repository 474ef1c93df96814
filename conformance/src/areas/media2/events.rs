//! What a device tells of changes, by a pull point (annexes A.12 to A.15 of the specification).

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    feature::Feature,
    soap::{Call, PREFIXES},
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

const WSA: &str = "http://www.w3.org/2005/08/addressing";
const WSNT: &str = "http://docs.oasis-open.org/wsn/b-2";
const TNS1: &str = "http://www.onvif.org/ver10/topics";
const CONCRETE_SET: &str = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet";
const PULL: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest";
const UNSUBSCRIBE: &str = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest";
const PULL_BODY: &str =
    "<tev:PullMessages><tev:Timeout>PT5S</tev:Timeout><tev:MessageLimit>1</tev:MessageLimit></tev:PullMessages>";

/// How long a device may take to tell of a change.
const DELAY: Duration = Duration::from_secs(20);

/// A subscription to a topic, if the device has the topic. Without, all that is said of events is left out, as the
/// specification has it.
pub(super) struct Watch {
    subscription: Option<Subscription>,
}

/// Where a subscription is, and what has to stand in the header of every request to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subscription {
    address: String,
    parameters: String,
}

impl Subscription {
    /// Reads an endpoint reference (WS-Addressing 1.0, section 2.1).
    fn of(reference: &Element) -> Self {
        let parameters = reference.at("ReferenceParameters").map(|all| all.children.as_slice()).unwrap_or_default();
        let written = |own: &Element| {
            format!("<p:{0} xmlns:p=\"{1}\">{2}</p:{0}>", own.name, escape(&own.namespace), escape(&own.text))
        };
        Self {
            address: reference.text_or_empty("Address").to_owned(),
            parameters: parameters.iter().map(written).collect(),
        }
    }
}

impl Watch {
    /// Subscribes to a topic of ONVIF's, if the device has pull points and the topic.
    pub(super) fn begin(t: &mut Test<'_>, topic: &str) -> Outcome<Self> {
        if !t.has(Feature::Event) {
            t.note(format!("no event service: whether the device tells tns1:{topic} is not judged"));
            return Ok(Self { subscription: None });
        }
        let properties = t.ask("<tev:GetEventProperties/>")?;
        if properties.at("TopicSet").and_then(|set| set.at(topic)).is_none() {
            t.note(format!("no topic tns1:{topic}: whether the device tells of it is not judged"));
            return Ok(Self { subscription: None });
        }
        let answer = t.ask(format!(
            "<tev:CreatePullPointSubscription><tev:Filter>\
             <wsnt:TopicExpression xmlns:wsnt=\"{WSNT}\" xmlns:tns1=\"{TNS1}\" Dialect=\"{CONCRETE_SET}\">tns1:{topic}\
             </wsnt:TopicExpression></tev:Filter></tev:CreatePullPointSubscription>"
        ))?;
        let reference = t.some(answer.at("SubscriptionReference"), "a reference to the subscription")?;
        let subscription = Subscription::of(reference);
        t.demand(!subscription.address.is_empty(), "the address of the subscription", "none")?;
        let begun = subscription.clone();
        // When all goes well it has ended by then, and whatever else keeps it, it ends by itself.
        t.afterwards_do(move |t| {
            let _ = t.attempt_by(&unsubscribe(&begun));
            Ok(())
        });
        Ok(Self { subscription: Some(subscription) })
    }

    /// Waits until the device tells of a change of this token, of this type if one is said.
    pub(super) fn expect(&mut self, t: &mut Test<'_>, token: &str, kind: Option<&str>) -> Outcome {
        let Some(subscription) = &self.subscription else { return Ok(()) };
        let deadline = Instant::now() + DELAY;
        loop {
            let answer = t.ask_by(&addressed(subscription, PULL, PULL_BODY))?;
            if answer.all("NotificationMessage").any(|message| tells(message, token, kind)) {
                return Ok(());
            }
            let wanted = format!("a change of {token} told within {} s", DELAY.as_secs());
            t.demand(Instant::now() < deadline, wanted, "none")?;
            // A device may answer an empty pull at once.
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Ends the subscription.
    pub(super) fn end(self, t: &mut Test<'_>) -> Outcome {
        let Some(subscription) = self.subscription else { return Ok(()) };
        t.ask_by(&unsubscribe(&subscription)).map(drop)
    }
}

/// Whether a message tells of a change of this token, of this type if one is said.
fn tells(message: &Element, token: &str, kind: Option<&str>) -> bool {
    let item = |name: &str| {
        let source = message.at("Message/Message/Source")?;
        source.all("SimpleItem").find(|item| item.attribute("Name") == Some(name))?.attribute("Value")
    };
    item("Token") == Some(token) && (kind.is_none() || item("Type") == kind)
}

fn unsubscribe(from: &Subscription) -> Call {
    addressed(from, UNSUBSCRIBE, &format!("<wsnt:Unsubscribe xmlns:wsnt=\"{WSNT}\"/>"))
}

/// A request with an address in its header, as subscriptions want it (WS-Addressing 1.0).
fn addressed(subscription: &Subscription, action: &str, body: &str) -> Call {
    let declared: String = PREFIXES.iter().map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect();
    let Subscription { address, parameters } = subscription;
    let to = escape(address);
    Call::envelope(format!(
        "<env:Envelope{declared} xmlns:wsa=\"{WSA}\"><env:Header><wsa:Action>{action}</wsa:Action>\
         <wsa:To>{to}</wsa:To>{parameters}</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    ))
    .to(address)
}

#[cfg(test)]
mod tests {
    use belvedere_harness::schema;

    use super::*;

    #[test]
    fn a_message_tells_of_its_source() {
        let item = |name: &str, value: &str| format!("<SimpleItem Name=\"{name}\" Value=\"{value}\"/>");
        let source = format!("<Source>{}{}</Source>", item("Token", "a"), item("Type", "VideoSource"));
        let text = format!("<NotificationMessage><Message><Message>{source}</Message></Message></NotificationMessage>");
        let message = Element::parse(text.as_bytes()).unwrap();
        assert!(tells(&message, "a", None) && tells(&message, "a", Some("VideoSource")));
        assert!(!tells(&message, "b", None) && !tells(&message, "a", Some("AudioSource")));
    }

    #[test]
    fn what_a_reference_holds_goes_into_the_header() {
        let text = "<r><Address>http://cam/1</Address><ReferenceParameters><x:Id xmlns:x=\"urn:x\">7</x:Id>\
                    </ReferenceParameters></r>";
        let subscription = Subscription::of(&Element::parse(text.as_bytes()).unwrap());
        assert_eq!(subscription.address, "http://cam/1");
        assert!(unsubscribe(&subscription).text().contains("<p:Id xmlns:p=\"urn:x\">7</p:Id></env:Header>"));
    }

    #[test]
    fn requests_of_subscriptions_are_what_the_schemas_allow() {
        let subscription = Subscription { address: "http://cam/1".into(), parameters: String::new() };
        for call in [unsubscribe(&subscription), addressed(&subscription, PULL, PULL_BODY)] {
            assert_eq!(schema::check(call.text().as_bytes()), Ok(()));
        }
    }
}
