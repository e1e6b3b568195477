//! The rules of Express, as the general way of a request asks for them.

use std::sync::Arc;

use http::Request;
use session_core::{SessionId, Timestamp};
use session_http::RequestHead;
use session_http::rules::{AnyVisit, Arrived, Rules};

use crate::{Express, ExpressVisit, signed};

/// The rules of express-session, as an [`Express`] sets them; made by [`Express::config`].
#[derive(Debug, Clone)]
pub struct ExpressRules(pub(crate) Arc<Express>);

impl Rules for ExpressRules {
    fn arrive(&self, head: &RequestHead<'_>, now: Timestamp) -> Arrived {
        let cookie = self.0.cookie_for(head);
        if cookie.serves(head.path()) {
            Arrived::Seen(AnyVisit::new(ExpressVisit::of(self.0.clone(), &cookie, head, now)))
        } else {
            Arrived::Outside
        }
    }

    fn arrive_unseen(&self, now: Timestamp) -> AnyVisit {
        let unknown = Request::new(());
        let head = RequestHead::of(&unknown);
        AnyVisit::new(ExpressVisit::unseen(self.0.clone(), &head, now))
    }

    /// Express escapes whatever there is; browsers keep no more than 4096 bytes of a cookie's name and value.
    fn can_present(&self, id: &SessionId) -> bool {
        const MOST: usize = 4096;
        id.expose().len() == SessionId::LENGTH || self.0.name.len() + signed::write(id, &self.0.secrets).len() <= MOST
    }
}
