//! The list of anomalies over tower.

mod anomalies;

use std::convert::Infallible;

use http::{Request, Response, header};
use session_tower::{Session, SessionLayer};
use tower::{Layer as _, ServiceExt, service_fn};

use anomalies::Script;

type Layer = SessionLayer;

async fn application(request: Request<Script>) -> Result<Response<String>, Infallible> {
    let answer = async { request.body().run(&Session::of(&request).await?).await };
    Ok(answer.await.map_or_else(|error| error.to_response(), Response::new))
}

async fn send(layer: Layer, cookie: String, script: Script) -> Response<String> {
    let request = Request::post("/").header(header::COOKIE, cookie).body(script).expect("the cookie is a header");
    let response = layer.layer(service_fn(application)).oneshot(request).await.expect("it always answers");
    response.map(|body| body.into_inner().unwrap_or_else(|refusal| refusal))
}
