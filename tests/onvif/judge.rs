//! The judge at work: what the server answers is right, and with any of these mistakes it would not be.

use anyhow::{Context, Result, ensure};
use belvedere_harness::soap::{DEVICE, Request, TDS, TRT};
use belvedere_harness::{Turn, schema};

use super::site::Site;

#[test]
fn a_broken_answer_is_found() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let profiles = site.ask(Request::operation(DEVICE, TRT, "GetProfiles"))?.done()?.text();
    let information = site.device("GetDeviceInformation")?.text();
    let fault = site.send(&Request::operation(DEVICE, TDS, "GetUsers"))?.text();
    for (answer, right, wrong) in [
        // An element that nobody has declared, one that is missing, one too many, and two in the wrong order.
        (&profiles, "Profiles", "Profile"),
        (&profiles, "Name>", "Nom>"),
        (&information, "SerialNumber", "Serial"),
        (&information, "<tds:Model>", "<tds:Model/><tds:Model>"),
        (&information, "Manufacturer", "HardwareId"),
        // Values and attributes.
        (&profiles, ">H264<", ">h264<"),
        (&profiles, ">640<", ">640.5<"),
        (&profiles, " token=", " tocken="),
        (&profiles, " fixed=\"true\"", " fixed=\"yes\""),
        // Faults, and what is around it all.
        (&fault, "env:Subcode", "env:SubCode"),
        (&fault, "ter:NotAuthorized", "NotAuthorized"),
        (&fault, "env:Body", "env:Torso"),
        (&fault, "</env:Envelope>", ""),
    ] {
        schema::check(answer.as_bytes()).map_err(|errors| anyhow::anyhow!("{}", errors.join("\n")))?;
        let broken = answer.replace(right, wrong);
        ensure!(broken != *answer, "no {right} in {answer}");
        schema::check(broken.as_bytes()).err().with_context(|| format!("{wrong} for {right} was not found"))?;
    }
    site.proxy.verdict()?;
    Ok(())
}
