//! A session store in files, durable and atomic
