//! All operations of the device I/O service's WSDL, with their access classes (DeviceIO 5).

use crate::onvif::soap::{
    dispatch::service,
    names::{TDS, TMD},
};

service! {
    /// The device I/O service.
    ///
    /// The specification wants video outputs, audio outputs, relays and digital inputs listed by devices that have some, so for
    /// us these operations are optional ones that we do not have. Of serial ports it says that a device without any answers an
    /// empty list (DeviceIO 5.8.1). The configurations of sources went to the media services with release 16.12. Relays have
    /// two elements of the device service.
    pub(super) trait DeviceIo lists DEVICE_IO in TMD, port type "DeviceIOPort" {
        PreAuth GetServiceCapabilities => get_service_capabilities;
        PreAuth GetRelayOutputOptions;
        ReadMedia GetAudioSources => get_audio_sources;
        ReadMedia GetAudioOutputs;
        ReadMedia GetVideoSources => get_video_sources;
        ReadMedia GetVideoOutputs;
        ReadMedia GetVideoSourceConfiguration;
        ReadMedia GetVideoOutputConfiguration;
        ReadMedia GetAudioSourceConfiguration;
        ReadMedia GetAudioOutputConfiguration;
        Actuate SetVideoSourceConfiguration;
        Actuate SetVideoOutputConfiguration;
        Actuate SetAudioSourceConfiguration;
        Actuate SetAudioOutputConfiguration;
        ReadMedia GetVideoSourceConfigurationOptions;
        ReadMedia GetVideoOutputConfigurationOptions;
        ReadMedia GetAudioSourceConfigurationOptions;
        ReadMedia GetAudioOutputConfigurationOptions;
        ReadMedia GetRelayOutputs [TDS GetRelayOutputs GetRelayOutputsResponse];
        Actuate SetRelayOutputSettings;
        Actuate SetRelayOutputState [TDS SetRelayOutputState SetRelayOutputStateResponse];
        ReadSystem GetDigitalInputs;
        ReadSystem GetDigitalInputConfigurationOptions;
        Actuate SetDigitalInputConfigurations;
        ReadSystem GetSerialPorts => get_serial_ports;
        ReadSystem GetSerialPortConfiguration;
        Actuate SetSerialPortConfiguration;
        ReadSystem GetSerialPortConfigurationOptions;
        Actuate SendReceiveSerialCommand;
    }
}
