//! A service without its layer: the response says little, so an event says what to do.

use std::io;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use session_tower::Session;
use tracing::Level;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no test panics under this lock")).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics under this lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_missing_layer_is_an_event_that_says_what_to_do() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(Level::WARN).with_ansi(false);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let error = Session::of(&Request::new(())).await.expect_err("no layer is around");
    let response: Response<String> = error.to_response();
    assert_eq!(response.status(), 500);
    assert!(log.text().contains("add it to the router"), "{:?}", log.text());
}
