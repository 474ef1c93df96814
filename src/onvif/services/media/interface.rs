//! All operations of Media1's WSDL, with their access classes (Media 5).

use crate::onvif::soap::{dispatch::service, names::TRT};

service! {
    /// The first version of the media service.
    pub(super) trait Media lists MEDIA in TRT, port type "Media" {
        PreAuth GetServiceCapabilities => get_service_capabilities;
        ReadMedia GetVideoSources => get_video_sources;
        ReadMedia GetAudioSources => get_audio_sources;
        ReadMedia GetAudioOutputs;
        Actuate CreateProfile => create_profile;
        ReadMedia GetProfile => get_profile;
        ReadMedia GetProfiles => get_profiles;
        Actuate AddVideoEncoderConfiguration => add_video_encoder_configuration;
        Actuate RemoveVideoEncoderConfiguration => remove_video_encoder_configuration;
        Actuate AddVideoSourceConfiguration => add_video_source_configuration;
        Actuate RemoveVideoSourceConfiguration => remove_video_source_configuration;
        Actuate AddAudioEncoderConfiguration => add_audio_encoder_configuration;
        Actuate RemoveAudioEncoderConfiguration => remove_audio_encoder_configuration;
        Actuate AddAudioSourceConfiguration => add_audio_source_configuration;
        Actuate RemoveAudioSourceConfiguration => remove_audio_source_configuration;
        Actuate AddPTZConfiguration;
        Actuate RemovePTZConfiguration;
        Actuate AddVideoAnalyticsConfiguration;
        Actuate RemoveVideoAnalyticsConfiguration;
        Actuate AddMetadataConfiguration;
        Actuate RemoveMetadataConfiguration;
        Actuate AddAudioOutputConfiguration;
        Actuate RemoveAudioOutputConfiguration;
        Actuate AddAudioDecoderConfiguration;
        Actuate RemoveAudioDecoderConfiguration;
        Actuate DeleteProfile => delete_profile;
        ReadMedia GetVideoSourceConfigurations => get_video_source_configurations;
        ReadMedia GetVideoEncoderConfigurations => get_video_encoder_configurations;
        ReadMedia GetAudioSourceConfigurations => get_audio_source_configurations;
        ReadMedia GetAudioEncoderConfigurations => get_audio_encoder_configurations;
        ReadMedia GetVideoAnalyticsConfigurations;
        ReadMedia GetMetadataConfigurations;
        ReadMedia GetAudioOutputConfigurations;
        ReadMedia GetAudioDecoderConfigurations;
        ReadMedia GetVideoSourceConfiguration => get_video_source_configuration;
        ReadMedia GetVideoEncoderConfiguration => get_video_encoder_configuration;
        ReadMedia GetAudioSourceConfiguration => get_audio_source_configuration;
        ReadMedia GetAudioEncoderConfiguration => get_audio_encoder_configuration;
        ReadMedia GetVideoAnalyticsConfiguration;
        ReadMedia GetMetadataConfiguration;
        ReadMedia GetAudioOutputConfiguration;
        ReadMedia GetAudioDecoderConfiguration;
        ReadMedia GetCompatibleVideoEncoderConfigurations => get_compatible_video_encoder_configurations;
        ReadMedia GetCompatibleVideoSourceConfigurations => get_compatible_video_source_configurations;
        ReadMedia GetCompatibleAudioEncoderConfigurations => get_compatible_audio_encoder_configurations;
        ReadMedia GetCompatibleAudioSourceConfigurations => get_compatible_audio_source_configurations;
        ReadMedia GetCompatibleVideoAnalyticsConfigurations;
        ReadMedia GetCompatibleMetadataConfigurations;
        ReadMedia GetCompatibleAudioOutputConfigurations;
        ReadMedia GetCompatibleAudioDecoderConfigurations;
        Actuate SetVideoSourceConfiguration => set_video_source_configuration;
        Actuate SetVideoEncoderConfiguration => set_video_encoder_configuration;
        Actuate SetAudioSourceConfiguration => set_audio_source_configuration;
        Actuate SetAudioEncoderConfiguration => set_audio_encoder_configuration;
        Actuate SetVideoAnalyticsConfiguration;
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
        ReadMedia GetGuaranteedNumberOfVideoEncoderInstances => get_guaranteed_number_of_video_encoder_instances;
        ReadMedia GetStreamUri => get_stream_uri;
        Actuate StartMulticastStreaming;
        Actuate StopMulticastStreaming;
        Actuate SetSynchronizationPoint => set_synchronization_point;
        ReadMedia GetSnapshotUri => get_snapshot_uri;
        ReadSystem GetVideoSourceModes;
        WriteSystem SetVideoSourceMode;
        ReadMedia GetOSDs;
        ReadMedia GetOSD;
        ReadMedia GetOSDOptions;
        Actuate SetOSD;
        Actuate CreateOSD;
        Actuate DeleteOSD;
    }
}
