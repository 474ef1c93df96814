//! The defaults of gst-rtsp-server that hurt a private camera, and what replaces them.
//!
//! Engine.md, section 1.2, has the measurements. Row by row:
//!
//! 1. every pipeline on one clock and one base time, no start time: `on_constructed`
//! 2. pipeline latency 0, or a picture waits for its time plus 87 ms: `on_constructed`
//! 3. sender reports carry the capture time, not the send time: `on_constructed`
//! 4. the first sender report comes with the first picture: `on_prepared`
//! 5. no Nagle on the connection: [`crate::accept`]
//! 6. cold DESCRIBEs are answered in parallel: `on_server`
//! 7. a stalled consumer holds three pictures, not half a second: [`crate::fanout`]
//!
//! and RTP time is running time, `timestamp-offset=0`: [`crate::launch`].

use std::time::Duration;

use gst::prelude::*;
use gst_rtsp_server::prelude::*;

use crate::timeline::Timeline;

/// Threads that serve clients; the default of one makes cold DESCRIBEs queue.
const THREADS: i32 = 8;
/// The least distance of RTCP reports. By default the first one comes after one to three seconds.
const RTCP_INTERVAL: Duration = Duration::from_millis(500);

/// Sets up a server.
pub fn on_server(server: &gst_rtsp_server::RTSPServer) {
    if let Some(pool) = server.thread_pool() {
        pool.set_max_threads(THREADS);
    }
}

/// Sets up the factory of a track: one encoder for all its readers, over TCP only, gone with its last reader.
pub fn on_factory(factory: &gst_rtsp_server::RTSPMediaFactory, timeline: &Timeline) {
    factory.set_shared(true);
    factory.set_stop_on_disconnect(true);
    factory.set_suspend_mode(gst_rtsp_server::RTSPSuspendMode::None);
    factory.set_protocols(gst_rtsp::RTSPLowerTrans::TCP);
    let timeline = timeline.clone();
    factory.connect_media_constructed(move |_, media| on_constructed(media, &timeline));
}

/// Sets up a media whose pipeline exists and has not started.
fn on_constructed(media: &gst_rtsp_server::RTSPMedia, timeline: &Timeline) {
    let pipeline = media.element().parent().and_downcast::<gst::Pipeline>();
    let Some(pipeline) = pipeline else {
        tracing::error!("a media without a pipeline: its times will be wrong");
        return;
    };
    timeline.apply(&pipeline);
    pipeline.set_latency(gst::ClockTime::ZERO);
    // The server adds its rtpbin when it prepares the media.
    pipeline.connect_element_added(|_, element| {
        if element.has_property("rtcp-sync-send-time") {
            element.set_property("rtcp-sync-send-time", false);
        }
    });
    media.connect_prepared(on_prepared);
}

/// Sets up the RTCP of a media that is prepared; earlier it would deadlock.
fn on_prepared(media: &gst_rtsp_server::RTSPMedia) {
    for session in (0..media.n_streams()).filter_map(|index| media.stream(index)?.rtpsession()) {
        session.set_property("rtcp-min-interval", RTCP_INTERVAL.as_nanos() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A media as the server makes it for a DESCRIBE, with its pipeline.
    fn media(timeline: &Timeline) -> (gst_rtsp_server::RTSPMedia, gst::Pipeline) {
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch("( audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0 pt=0 )");
        on_factory(&factory, timeline);
        let (result, url) = gst_rtsp::RTSPUrl::parse("rtsp://127.0.0.1/x");
        assert_eq!(result, gst_rtsp::RTSPResult::Ok);
        let media = factory.construct(&url.unwrap()).unwrap();
        let pipeline = media.element().parent().and_downcast::<gst::Pipeline>().unwrap();
        (media, pipeline)
    }

    #[test]
    fn row_1_one_clock_and_base_time_and_row_2_no_latency() {
        gst::init().unwrap();
        let timeline = Timeline::start();
        let (media, pipeline) = media(&timeline);
        assert_eq!(pipeline.base_time(), Some(gst::ClockTime::from_nseconds(timeline.base_monotonic_ns())));
        assert_eq!(pipeline.start_time(), gst::ClockTime::NONE);
        assert_eq!(pipeline.latency(), Some(gst::ClockTime::ZERO));
        assert_eq!(pipeline.pipeline_clock(), gst::SystemClock::obtain());
        assert!(media.is_shared());
        assert_eq!(media.protocols(), gst_rtsp::RTSPLowerTrans::TCP);
    }

    #[test]
    fn row_3_sender_reports_by_capture_time_and_row_4_reports_at_once() {
        gst::init().unwrap();
        let (media, pipeline) = media(&Timeline::start());
        let main_loop = gst::glib::MainLoop::new(None, false);
        let running = main_loop.clone();
        let thread = std::thread::spawn(move || running.run());
        media.prepare(None).unwrap();
        let rtpbin = pipeline.children().into_iter().find(|e| e.has_property("rtcp-sync-send-time")).unwrap();
        assert!(!rtpbin.property::<bool>("rtcp-sync-send-time"));
        let session = media.stream(0).unwrap().rtpsession().unwrap();
        assert_eq!(session.property::<u64>("rtcp-min-interval"), 500_000_000);
        media.unprepare().unwrap();
        main_loop.quit();
        thread.join().unwrap();
    }

    #[test]
    fn row_6_threads() {
        gst::init().unwrap();
        let server = gst_rtsp_server::RTSPServer::new();
        on_server(&server);
        assert_eq!(server.thread_pool().unwrap().max_threads(), THREADS);
    }
}
