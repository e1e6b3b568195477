//! The list of anomalies over actix-web: the same as over tower.

#[path = "../../session-tower/tests/anomalies/anomalies.rs"]
mod anomalies;

use actix_web::{App, HttpRequest, test, web};
use http::{Response, header};
use session_actix::{Error, Session, SessionMiddleware};

use anomalies::Script;

type Layer = SessionMiddleware;

async fn application(request: HttpRequest, session: Session) -> Result<String, Error> {
    let script = request.app_data::<web::Data<Script>>().expect("it is there").clone();
    script.run(&session).await
}

async fn send(layer: Layer, cookie: String, script: Script) -> Response<String> {
    let app = App::new().app_data(web::Data::new(script)).wrap(layer).route("/", web::post().to(application));
    let app = test::init_service(app).await;
    let request = test::TestRequest::post().uri("/").insert_header((header::COOKIE.as_str(), cookie)).to_request();
    let answer = test::call_service(&app, request).await;
    let mut response = Response::builder().status(answer.status().as_u16());
    for (name, value) in answer.headers() {
        response = response.header(name.as_str(), value.as_bytes());
    }
    let body = test::read_body(answer).await;
    response.body(String::from_utf8(body.to_vec()).expect("text")).expect("a response")
}
