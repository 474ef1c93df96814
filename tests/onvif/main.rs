//! ONVIF from outside: three clients that others wrote, and requests that none of them would send. All of it goes through the
//! recording proxy, which has every answer judged by the official schemas, faults included.

mod access;
mod clients;
mod contract;
mod driver;
mod judge;
mod kept;
mod operations;
mod site;
