//! What the device is, what time it has, and starting it again (Core 8.3).

use std::sync::Arc;

use super::{blocking, choice, invalid, set_host};
use crate::{
    base::clock::{Civil, UtcTime},
    host::{HostError, TimeSource, TimeZone},
    onvif::{
        context::{Context, host_fault},
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::{Fault, Generic},
            names::{TDS, TT},
            tree::Element,
            values::FromText,
            writer::Writer,
        },
        visit::Visit,
    },
};

/// Years that a clock can be set to: later ones are too far from now for a difference in nanoseconds.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

pub(super) async fn get_device_information(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let (facts, serial) = (context.facts.clone(), context.device.identity().serial.clone());
    Ok(Reply::new(move |w| {
        w.text(TDS, "Manufacturer", facts.manufacturer);
        w.text(TDS, "Model", facts.model);
        w.text(TDS, "FirmwareVersion", facts.firmware);
        w.text(TDS, "SerialNumber", serial);
        w.text(TDS, "HardwareId", facts.hardware);
    }))
}

pub(super) async fn get_system_date_and_time(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let read = |context: &Context| (context.host.utc(), context.host.time_zone(), context.host.time_source());
    let (utc, zone, source) = blocking(context, read).await?;
    let local = utc.offset(zone.local(utc).offset.saturating_mul(1_000_000_000));
    let source = if source == TimeSource::Ntp { "NTP" } else { "Manual" };
    Ok(Reply::new(move |w| {
        w.element(TDS, "SystemDateAndTime", |w| {
            w.text(TT, "DateTimeType", source);
            w.text(TT, "DaylightSavings", zone.has_daylight_saving());
            w.element(TT, "TimeZone", |w| w.text(TT, "TZ", zone.as_str()));
            w.element(TT, "UTCDateTime", |w| write_time(w, utc.civil()));
            w.element(TT, "LocalDateTime", |w| write_time(w, local.civil()));
        });
    }))
}

pub(super) async fn set_system_date_and_time(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let body = call.body();
    let sources = [("Manual", TimeSource::Manual), ("NTP", TimeSource::Ntp)];
    let source = choice(body.required(TDS, "DateTimeType")?, &sources)?;
    let daylight_saving = body.get::<bool>(TDS, "DaylightSavings")?;
    let zone = body.child(TDS, "TimeZone").map(read_zone).transpose()?;
    // With NTP the time has no meaning, and may be anything.
    let utc = body.child(TDS, "UTCDateTime").filter(|_| source == TimeSource::Manual).map(read_time).transpose()?;
    if source == TimeSource::Ntp && context.host.time_source() == TimeSource::Manual {
        let ntp = context.host.ntp().map_err(|error| host_fault(&error))?;
        if ntp.servers.is_empty() && !ntp.from_dhcp {
            return Err(invalid("NtpServerUndefined"));
        }
    }
    let zone = zone.unwrap_or_else(|| context.host.time_zone()).with_daylight_saving(daylight_saving);
    set_host(context, Some("InvalidDateTime"), move |host| {
        host.set_time_source(source)?;
        utc.map_or(Ok(()), |utc| host.set_utc(utc))?;
        // Clients that only set the clock send the zone along; the machine's own file knows more than its text.
        if zone == host.time_zone() { Ok(()) } else { host.set_time_zone(&zone) }
    })
    .await?;
    tracing::info!(user = call.proof.principal()?.user(), "the clock was set");
    Ok(Reply::empty())
}

pub(super) async fn system_reboot(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    tracing::info!(user = call.proof.principal()?.user(), "a restart was asked for");
    machine(blocking(context, |context| context.power.reboot()).await?)?;
    Ok(Reply::new(|w| w.text(TDS, "Message", "Restarting now")))
}

pub(super) async fn set_system_factory_default(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let hard = choice(call.body().required(TDS, "FactoryDefault")?, &[("Hard", true), ("Soft", false)])?;
    tracing::info!(user = call.proof.principal()?.user(), hard, "the factory default was asked for");
    machine(blocking(context, move |context| context.power.factory_default(hard)).await?)?;
    Ok(Reply::empty())
}

/// There are no logs to be read by ONVIF, and the faults for that are the operation's own (Core, GetSystemLog; DEVICE-3-1-10).
pub(super) async fn get_system_log(_: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let kinds = [("System", "SystemlogUnavailable"), ("Access", "AccesslogUnavailable")];
    let unavailable = choice(call.body().required(TDS, "LogType")?, &kinds)?;
    Err(Fault::new(Generic::InvalidArgs).subcode(unavailable))
}

fn machine(done: Result<(), HostError>) -> Result<(), Fault> {
    done.map_err(|error| host_fault(&error))
}

/// Writes what `tt:DateTime` holds.
fn write_time(w: &mut Writer, Civil { year, month, day, hour, minute, second }: Civil) {
    w.element(TT, "Time", |w| {
        w.text(TT, "Hour", hour);
        w.text(TT, "Minute", minute);
        w.text(TT, "Second", second);
    });
    w.element(TT, "Date", |w| {
        w.text(TT, "Year", year);
        w.text(TT, "Month", month);
        w.text(TT, "Day", day);
    });
}

fn read_zone(element: &Element) -> Result<TimeZone, Fault> {
    let text = element.get::<String>(TT, "TZ")?;
    text.trim().parse().map_err(|_| invalid("InvalidTimeZone"))
}

fn read_time(element: &Element) -> Result<UtcTime, Fault> {
    let (time, date) = (element.required(TT, "Time")?, element.required(TT, "Date")?);
    let number = |element: &Element, local| element.get::<i32>(TT, local);
    let (hour, minute, second) = (number(time, "Hour")?, number(time, "Minute")?, number(time, "Second")?);
    let (year, month, day) = (number(date, "Year")?, number(date, "Month")?, number(date, "Day")?);
    // `tt:Time` has no hour 24.
    if !YEARS.contains(&year) || hour > 23 {
        return Err(invalid("InvalidDateTime"));
    }
    let text = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    UtcTime::from_text(&text).ok_or_else(|| invalid("InvalidDateTime"))
}
