//! All operations of the imaging service's WSDL, with their access classes (Imaging 5).

use crate::onvif::soap::{dispatch::service, names::TIMG};

service! {
    /// The imaging service. Only a device with remote focus control moves, stops and tells its status (Imaging 5.3), and only
    /// one with presets tells and sets them (5.2).
    pub(super) trait Imaging lists IMAGING in TIMG, port type "ImagingPort" {
        PreAuth GetServiceCapabilities => get_service_capabilities;
        ReadMedia GetImagingSettings => get_imaging_settings;
        Actuate SetImagingSettings => set_imaging_settings;
        ReadMedia GetOptions => get_options;
        Actuate Move;
        ReadMedia GetMoveOptions => get_move_options;
        Actuate Stop;
        ReadMedia GetStatus;
        ReadMedia GetPresets;
        ReadMedia GetCurrentPreset;
        Actuate SetCurrentPreset;
    }
}
