use std::{
    cell::Cell,
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::{
    super::{
        fault::Code,
        names::*,
        tree::ContentError,
        xml::{self, Limits},
    },
    *,
};

/// Stands for what only `auth` can make.
struct Proof(AccessClass);

service! {
    /// A part of the device service.
    trait Device lists DEVICE in TDS, port type "Device" {
        PreAuth GetSystemDateAndTime => get_system_date_and_time;
        /// Core, section 8.2.5.
        WriteSystem SetHostname => set_hostname;
        ReadMedia GetRelayOutputs => get_relay_outputs;
        Unrecoverable StartFirmwareUpgrade;
    }
}

service! {
    /// A part of the device I/O service.
    trait DeviceIo lists DEVICE_IO in TMD, port type "DeviceIOPort" {
        PreAuth GetServiceCapabilities => get_service_capabilities;
        ReadMedia GetRelayOutputs [TDS GetRelayOutputs GetRelayOutputsResponse] => get_relay_outputs;
        Actuate SetRelayOutputState [TDS SetRelayOutputState SetRelayOutputStateResponse];
    }
}

service! {
    /// A part of the event service.
    trait Events lists EVENTS in TEV, port type "PullPointSubscription" {
        ReadMedia PullMessages => pull_messages;
    }
}

service! {
    /// What the event service takes over from WS-BaseNotification.
    trait Subscriptions lists SUBSCRIPTIONS in WSNT, port type "SubscriptionManager", wsdl "http://docs.oasis-open.org/wsn/bw-2" {
        ReadMedia Renew;
    }
}

struct Front;

impl Subscriptions<Proof> for Front {}

impl Device<Proof> for Front {
    async fn get_system_date_and_time(&self, _: Call<'_, Proof>) -> Outcome {
        Ok(Reply::empty())
    }

    async fn set_hostname(&self, call: Call<'_, Proof>) -> Outcome {
        assert_eq!(call.proof.0, AccessClass::WriteSystem);
        // An operation may have to wait.
        std::future::ready(()).await;
        let name = call.body().get::<String>(TDS, "Name").map_err(|error: ContentError| Fault::from(error))?;
        if name.contains(' ') {
            return Err(Fault::new(Generic::InvalidArgVal).subcode("InvalidHostname"));
        }
        Ok(Reply::new(move |w| w.text(TDS, "Name", name)))
    }

    async fn get_relay_outputs(&self, _: Call<'_, Proof>) -> Outcome {
        Ok(Reply::new(|w| w.text(TDS, "From", "device")))
    }
}

impl DeviceIo<Proof> for Front {
    async fn get_service_capabilities(&self, _: Call<'_, Proof>) -> Outcome {
        Ok(Reply::empty())
    }

    async fn get_relay_outputs(&self, _: Call<'_, Proof>) -> Outcome {
        Ok(Reply::new(|w| w.text(TDS, "From", "device I/O")))
    }
}

impl Events<Proof> for Front {
    async fn pull_messages(&self, _: Call<'_, Proof>) -> Outcome {
        Ok(Reply::empty())
    }
}

fn device() -> Endpoint<Proof> {
    Endpoint::new().with(Device::bind(Front))
}

fn request(header: &str, body: &str) -> Request {
    let text = format!(
        "<e:Envelope xmlns:e='{}' xmlns:a='{}' xmlns:t='{}'><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>",
        ENV.uri(),
        WSA5.uri(),
        TDS.uri()
    );
    Request::read(text.as_bytes(), &Limits::default()).unwrap()
}

/// Runs a future that waits for nothing.
fn run<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

fn answer(endpoint: &Endpoint<Proof>, request: &Request) -> Answer {
    run(endpoint.answer(request, |class| Ok(Proof(class))))
}

fn body(answer: &Answer) -> Element {
    let root = xml::read(answer.body.as_bytes(), &Limits::default()).unwrap();
    root.child(ENV, "Body").unwrap().elements().next().unwrap().clone()
}

/// Status and subcodes of a fault.
fn fault(answer: &Answer) -> (u16, Vec<String>) {
    let body = body(answer);
    let mut subcodes = Vec::new();
    let mut code = body.required(ENV, "Code").unwrap();
    loop {
        let value = code.required(ENV, "Value").unwrap();
        subcodes.push(value.resolve(&value.text()).unwrap().local().to_owned());
        match code.child(ENV, "Subcode") {
            Some(inner) => code = inner,
            None => return (answer.status, subcodes),
        }
    }
}

#[test]
fn an_operation_is_found_by_its_qualified_name() {
    let answer = answer(&device(), &request("", "<t:SetHostname><t:Name>cam</t:Name></t:SetHostname>"));
    assert_eq!((answer.status, &*answer.content_type), (200, "application/soap+xml; charset=utf-8"));
    let response = body(&answer);
    assert!(response.is(TDS, "SetHostnameResponse"));
    assert_eq!(response.get::<String>(TDS, "Name").as_deref(), Ok("cam"));
}

#[test]
fn the_same_element_means_what_the_endpoint_says() {
    let device_io = Endpoint::new().with(DeviceIo::bind(Front));
    let request = request("", "<t:GetRelayOutputs/>");
    for (endpoint, want) in [(device(), "device"), (device_io, "device I/O")] {
        let response = body(&answer(&endpoint, &request));
        assert!(response.is(TDS, "GetRelayOutputsResponse"));
        assert_eq!(response.get::<String>(TDS, "From").as_deref(), Ok(want));
    }
}

#[test]
fn what_is_no_operation_here_gets_the_right_fault() {
    let endpoint = device();
    for (element, want) in [
        // In the WSDL, and not supported
        ("<t:StartFirmwareUpgrade/>".to_owned(), "Receiver/ActionNotSupported 500"),
        // Not in the WSDL as we know it
        ("<t:GetFuture/>".to_owned(), "Receiver/ActionNotSupported 500"),
        // An operation of ours in no or another namespace
        ("<SetHostname/>".to_owned(), "Sender/Namespace 400"),
        (format!("<SetHostname xmlns='{}'/>", TRT.uri()), "Sender/Namespace 400"),
        // Something else
        (format!("<GetProfiles xmlns='{}'/>", TRT.uri()), "Sender/UnknownAction 400"),
        ("<x xmlns='urn:x'/>".to_owned(), "Sender/UnknownAction 400"),
    ] {
        let (status, subcodes) = fault(&answer(&endpoint, &request("", &element)));
        assert_eq!(format!("{} {status}", subcodes.join("/")), want, "{element}");
    }
}

#[test]
fn authorisation_is_asked_once_with_the_class_of_the_operation() {
    let asked = Cell::new(Vec::new());
    let refuse = |class| {
        let mut classes = asked.take();
        classes.push(class);
        asked.set(classes);
        Err(Fault::challenge())
    };
    // Nothing is looked at before: the arguments are missing.
    let answer = run(device().answer(&request("", "<t:SetHostname/>"), refuse));
    assert_eq!(fault(&answer), (401, vec!["Sender".to_owned(), "NotAuthorized".to_owned()]));
    assert_eq!(asked.take(), [AccessClass::WriteSystem]);
    let _ = run(device().answer(&request("", "<t:Unknown/>"), |_| unreachable!()));
}

#[test]
fn a_method_answers_with_a_fault_of_its_own() {
    let invalid = answer(&device(), &request("", "<t:SetHostname><t:Name>a b</t:Name></t:SetHostname>"));
    assert_eq!(fault(&invalid).1, ["Sender", "InvalidArgVal", "InvalidHostname"]);
    let missing = answer(&device(), &request("", "<t:SetHostname/>"));
    assert_eq!(fault(&missing).1, ["Sender", "InvalidArgs"]);
    assert!(missing.body.contains("<env:Text>SetHostname/Name: the element is missing</env:Text>"), "{}", missing.body);
}

#[test]
fn answers_are_addressed_if_the_request_was() {
    let addressed = request("<a:MessageID>7</a:MessageID>", "<t:GetSystemDateAndTime/>");
    let answered = answer(&device(), &addressed);
    let action = "http://www.onvif.org/ver10/device/wsdl/Device/GetSystemDateAndTimeResponse";
    assert!(answered.content_type.ends_with(&format!("; action=\"{action}\"")), "{}", answered.content_type);
    let header =
        format!("<env:Header><wsa5:Action>{action}</wsa5:Action><wsa5:RelatesTo>7</wsa5:RelatesTo></env:Header>");
    assert!(answered.body.contains(&header), "{}", answered.body);
}

#[test]
fn answers_of_the_event_service_are_always_addressed() {
    // X2, X3
    let endpoint = Endpoint::new().with(Events::bind(Front)).with(Subscriptions::bind(Front));
    let pulled = answer(&endpoint, &request("", &format!("<PullMessages xmlns='{}'/>", TEV.uri())));
    let action = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesResponse";
    assert!(pulled.body.contains(&format!("<wsa5:Action>{action}</wsa5:Action>")), "{}", pulled.body);
    let failed = answer(&endpoint, &request("", &format!("<Renew xmlns='{}'/>", WSNT.uri())));
    assert_eq!(fault(&failed).1, ["Receiver", "ActionNotSupported"]);
    assert!(failed.body.contains(&format!("<wsa5:Action>{FAULT_ACTION}</wsa5:Action>")), "{}", failed.body);
    let refused = Request::read(b"<a/>", &Limits::default()).unwrap_err();
    let answer = endpoint.refused(&refused);
    assert_eq!((answer.status, refused.fault.code()), (500, Code::VersionMismatch));
    assert!(answer.content_type.contains(FAULT_ACTION) && answer.body.contains("<env:Upgrade>"));
}

#[test]
fn operations_are_listed_without_being_run() {
    let rows: Vec<_> = DEVICE_IO
        .operations
        .iter()
        .map(|op| format!("{} {}:{} {} {}", op.name, op.namespace.prefix(), op.request, op.class, op.supported))
        .collect();
    assert_eq!(
        rows,
        [
            "GetServiceCapabilities tmd:GetServiceCapabilities PRE_AUTH true",
            "GetRelayOutputs tds:GetRelayOutputs READ_MEDIA true",
            "SetRelayOutputState tds:SetRelayOutputState ACTUATE false",
        ]
    );
    assert_eq!(DEVICE.operations[0].response, "GetSystemDateAndTimeResponse");
    assert_eq!(format!("{:?}", device()), "[\"Device\"]");
    let renew = SUBSCRIPTIONS.response_action(&SUBSCRIPTIONS.operations[0]);
    assert_eq!(renew, "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewResponse");
}

#[test]
fn futures_can_be_moved_between_threads() {
    fn sendable<T: Send>(_: T) {}
    let (endpoint, request) = (device(), request("", "<t:GetRelayOutputs/>"));
    sendable(endpoint.answer(&request, |class| Ok(Proof(class))));
    sendable(endpoint);
}
