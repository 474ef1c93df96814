//! All operations of Media2's WSDL, with their access classes (Media2 5).

use crate::onvif::soap::{dispatch::service, names::TR2};

service! {
    /// The second version of the media service.
    pub(super) trait Media2 lists MEDIA2 in TR2, port type "Media2" {
        PreAuth GetServiceCapabilities => get_service_capabilities;
        Actuate CreateProfile => create_profile;
        ReadMedia GetProfiles => get_profiles;
        Actuate AddConfiguration => add_configuration;
        Actuate RemoveConfiguration => remove_configuration;
        Actuate DeleteProfile => delete_profile;
        ReadMedia GetVideoSourceConfigurations => get_video_source_configurations;
        ReadMedia GetVideoEncoderConfigurations => get_video_encoder_configurations;
        ReadMedia GetAudioSourceConfigurations => get_audio_source_configurations;
        ReadMedia GetAudioEncoderConfigurations => get_audio_encoder_configurations;
        ReadMedia GetAnalyticsConfigurations;
        ReadMedia GetMetadataConfigurations;
        ReadMedia GetAudioOutputConfigurations;
        ReadMedia GetAudioDecoderConfigurations;
        Actuate SetVideoSourceConfiguration => set_video_source_configuration;
        Actuate SetVideoEncoderConfiguration => set_video_encoder_configuration;
        Actuate SetAudioSourceConfiguration => set_audio_source_configuration;
        Actuate SetAudioEncoderConfiguration => set_audio_encoder_configuration;
        Actuate SetMetadataConfiguration;
        Actuate SetAudioOutputConfiguration;
        Actuate SetAudioDecoderConfiguration;
        ReadMedia GetVideoSourceConfigurationOptions => get_video_source_configuration_options;
        ReadMedia GetVideoEncoderConfigurationOptions => get_video_encoder_configuration_options;
        ReadMedia GetAudioSourceConfigurationOptions => get_audio_source_configuration_options;
        ReadMedia GetAudioEncoderConfigurationOptions => get_audio_encoder_configuration_options;
        ReadMedia GetMetadataConfigurationOptions;
        ReadMedia GetAudioOutputConfigurationOptions;
        ReadMedia GetAudioDecoderConfigurationOptions;
        WriteSystem SetEQPresetConfiguration;
        ReadMedia GetVideoEncoderInstances => get_video_encoder_instances;
        ReadMedia GetStreamUri => get_stream_uri;
        Actuate StartMulticastStreaming;
        Actuate StopMulticastStreaming;
        Actuate SetSynchronizationPoint => set_synchronization_point;
        ReadMedia GetSnapshotUri => get_snapshot_uri;
        ReadSystem GetVideoSourceModes;
        WriteSystem SetVideoSourceMode;
        ReadMedia GetOSDs;
        ReadMedia GetOSDOptions;
        Actuate SetOSD;
        Actuate CreateOSD;
        Actuate DeleteOSD;
        ReadMedia GetMasks;
        ReadMedia GetMaskOptions;
        Actuate SetMask;
        Actuate CreateMask;
        Actuate DeleteMask;
        ReadSystem GetWebRTCConfigurations;
        WriteSystem SetWebRTCConfigurations;
        ReadSystem GetAudioClips;
        WriteSystem AddAudioClip;
        WriteSystem AddTTSAudioClip;
        WriteSystem SetAudioClip;
        WriteSystem DeleteAudioClip;
        ReadSystem PlayAudioClip;
        ReadSystem GetPlayingAudioClips;
        ReadSystem GetMulticastAudioDecoderConfigurations;
        ReadSystem GetMulticastAudioDecoderConfigurationOptions;
        WriteSystem SetMulticastAudioDecoderConfiguration;
    }
}
