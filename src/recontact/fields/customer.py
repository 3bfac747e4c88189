"""The elements of a Customer, and the actions on customers."""

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Final, TypeAlias, TypedDict

from recontact.fields.customer_log import CUSTOMER_LOG
from recontact.fields.table import (
    Element,
    Evidence,
    Form,
    Nested,
    Shape,
    Wire,
    element_of,
    filters_of,
    forms_of,
    leaves_of,
    selectors_of,
    table_of,
)
from recontact.values import (
    Boolean,
    CustomerType,
    DateTime,
    Day,
    Decimal,
    Gender,
    Integer,
    OneOf,
    OrderType,
    Text,
    WireType,
)


def _is(name: str, type: WireType, doc: str, evidence: Evidence = "documented") -> Wire:
    return Wire(name, type, doc, evidence)


Words: TypeAlias = str | None


class BillingAddressFields(TypedDict, total=False):
    """What a BillingAddress holds. A sent address replaces the stored one whole."""

    bill_first_name: Annotated[Words, _is("BillFirstName", Text(50), "First name.")]
    bill_last_name: Annotated[Words, _is("BillLastName", Text(50), "Last name.")]
    bill_company: Annotated[Words, _is("BillCompany", Text(50), "Company.")]
    bill_street_line_1: Annotated[Words, _is("BillStreetLine1", Text(50), "Street.")]
    bill_street_line_2: Annotated[Words, _is("BillStreetLine2", Text(50), "Street, continued.")]
    bill_city: Annotated[Words, _is("BillCity", Text(50), "City.")]
    bill_state: Annotated[Words, _is("BillState", Text(50), "State.")]
    bill_post_code: Annotated[Words, _is("BillPostCode", Text(15), "Postcode.")]
    bill_country: Annotated[Words, _is("BillCountry", Text(2), "Country, in two letters.")]
    bill_phone: Annotated[Words, _is("BillPhone", Text(30), "Telephone.")]
    bill_fax: Annotated[Words, _is("BillFax", Text(30), "Fax.")]


class ShippingAddressFields(TypedDict, total=False):
    """What a ShippingAddress holds. A sent address replaces the stored one whole."""

    ship_title: Annotated[Words, _is("ShipTitle", Text(255), "What the address is called.")]
    ship_first_name: Annotated[Words, _is("ShipFirstName", Text(50), "First name.")]
    ship_last_name: Annotated[Words, _is("ShipLastName", Text(50), "Last name.")]
    ship_company: Annotated[Words, _is("ShipCompany", Text(50), "Company.")]
    ship_street_line_1: Annotated[Words, _is("ShipStreetLine1", Text(50), "Street.")]
    ship_street_line_2: Annotated[Words, _is("ShipStreetLine2", Text(50), "Street, continued.")]
    ship_city: Annotated[Words, _is("ShipCity", Text(50), "City.")]
    ship_state: Annotated[Words, _is("ShipState", Text(50), "State.")]
    ship_post_code: Annotated[Words, _is("ShipPostCode", Text(15), "Postcode.")]
    ship_country: Annotated[Words, _is("ShipCountry", Text(2), "Country, in two letters.")]
    ship_phone: Annotated[Words, _is("ShipPhone", Text(30), "Telephone.")]
    ship_fax: Annotated[Words, _is("ShipFax", Text(30), "Fax.")]


UserCustom: TypeAlias = Annotated[
    str | None, _is("", Text(255), "A field for whatever the shop keeps in it.")
]


class CustomerKey(TypedDict, total=False):
    """What names a customer."""

    username: Annotated[
        str,
        Wire(
            "Username",
            Text(25),
            "The customer's name in the shop; no two differ in case only.",
            "documented",
            required=True,
        ),
    ]


class CustomerFields(CustomerKey, total=False):
    """What a Customer may carry in a call. A key not there was not sent; None: sent empty."""

    type: Annotated[
        CustomerType | None,
        _is("Type", OneOf(CustomerType, clears=True), "What they are; Customer unless sent."),
    ]
    password: Annotated[
        Words, _is("Password", Text(100), "Taken, and kept nowhere; answered empty.")
    ]
    email_address: Annotated[Words, _is("EmailAddress", Text(50), "Email address.")]
    secondary_email_address: Annotated[
        Words, _is("SecondaryEmailAddress", Text(50), "Another email address.")
    ]
    newsletter_subscriber: Annotated[
        bool, _is("NewsletterSubscriber", Boolean(), "Whether they get the newsletter.")
    ]
    parent_username: Annotated[
        Words, _is("ParentUsername", Text(25), "The customer that this one belongs to.")
    ]
    approval_username: Annotated[
        Words, _is("ApprovalUsername", Text(25), "The customer who approves their orders.")
    ]
    referral_username: Annotated[
        Words, _is("ReferralUsername", Text(25), "The customer who referred them.")
    ]
    referral_commission: Annotated[
        Words, _is("ReferralCommission", Decimal(), "What the referral earns.")
    ]
    gender: Annotated[Gender | None, _is("Gender", OneOf(Gender, clears=True), "Gender.")]
    date_of_birth: Annotated[
        date | None, _is("DateOfBirth", Day(), "Day of birth, as written, in whatever zone.")
    ]
    identification_type: Annotated[
        Words, _is("IdentificationType", Text(20), "What they identified themselves by.")
    ]
    identification_details: Annotated[
        Words, _is("IdentificationDetails", Text(25), "Its number, or the like.")
    ]
    default_discounts: Annotated[Words, _is("DefaultDiscounts", Decimal(), "Their discount.")]
    default_document_template: Annotated[
        Words, _is("DefaultDocumentTemplate", Text(50), "The template of their documents.")
    ]
    internal_notes: Annotated[
        Words, _is("InternalNotes", Text(65_535, unlimited=True), "Notes for the shop alone.")
    ]
    abn: Annotated[Words, _is("ABN", Text(255), "Australian Business Number.")]
    website_url: Annotated[Words, _is("WebsiteURL", Text(255), "Website.")]
    credit_limit: Annotated[Words, _is("CreditLimit", Decimal(), "How much they may owe.")]
    default_invoice_terms: Annotated[
        Words, _is("DefaultInvoiceTerms", Text(50), "The terms of their invoices.")
    ]
    classification_1: Annotated[Words, _is("Classification1", Text(20), "A class of the shop's.")]
    classification_2: Annotated[Words, _is("Classification2", Text(20), "Another class.")]
    sales_channel: Annotated[Words, _is("SalesChannel", Text(15), "Where they buy.")]
    active: Annotated[bool, _is("Active", Boolean(), "Whether they may buy; True unless sent.")]
    on_credit_hold: Annotated[
        bool, _is("OnCreditHold", Boolean(), "Whether they get nothing on credit for now.")
    ]
    user_group: Annotated[Words, _is("UserGroup", Text(50), "The group of customers.")]
    account_manager: Annotated[
        Words, _is("AccountManager", Text(25), "The username of who looks after them.")
    ]
    default_order_type: Annotated[
        OrderType | None,
        _is("DefaultOrderType", OneOf(OrderType, clears=True), "What kind their orders are."),
    ]
    user_custom_1: UserCustom
    user_custom_2: UserCustom
    user_custom_3: UserCustom
    user_custom_4: UserCustom
    user_custom_5: UserCustom
    user_custom_6: UserCustom
    user_custom_7: UserCustom
    user_custom_8: UserCustom
    user_custom_9: UserCustom
    user_custom_10: UserCustom
    user_custom_11: UserCustom
    user_custom_12: UserCustom
    user_custom_13: UserCustom
    user_custom_14: UserCustom
    user_custom_15: UserCustom
    user_custom_16: UserCustom
    user_custom_17: UserCustom
    user_custom_18: UserCustom
    user_custom_19: UserCustom
    user_custom_20: UserCustom
    user_custom_21: UserCustom
    user_custom_22: UserCustom
    user_custom_23: UserCustom
    user_custom_24: UserCustom
    user_custom_25: UserCustom
    user_custom_26: UserCustom
    user_custom_27: UserCustom
    user_custom_28: UserCustom
    user_custom_29: UserCustom
    user_custom_30: UserCustom
    user_custom_31: UserCustom
    user_custom_32: UserCustom
    user_custom_33: UserCustom
    user_custom_34: UserCustom
    user_custom_35: UserCustom
    user_custom_36: UserCustom
    user_custom_37: UserCustom
    user_custom_38: UserCustom
    user_custom_39: UserCustom
    user_custom_40: UserCustom
    user_custom_41: UserCustom
    user_custom_42: UserCustom
    user_custom_43: UserCustom
    user_custom_44: UserCustom
    user_custom_45: UserCustom
    user_custom_46: UserCustom
    user_custom_47: UserCustom
    user_custom_48: UserCustom
    user_custom_49: UserCustom
    user_custom_50: UserCustom
    billing_address: Annotated[
        BillingAddressFields | None,
        Wire(
            "BillingAddress",
            Nested(),
            "Where bills go; sent, it replaces the stored one whole.",
            "documented",
            parts=BillingAddressFields,
        ),
    ]
    shipping_address: Annotated[
        ShippingAddressFields | None,
        Wire(
            "ShippingAddress",
            Nested(),
            "Where goods go; sent, it replaces the stored one whole.",
            "documented",
            parts=ShippingAddressFields,
        ),
    ]


class UpdateCustomerFields(CustomerFields, total=False):
    """What an item of UpdateCustomer may carry."""

    revision: Annotated[
        int,
        Wire(
            "Revision",
            Integer(least=1),
            "The customer's revision that this update was made from; any other refuses the item.",
            "extension",
        ),
    ]


class _GivenByUs(TypedDict, total=False):
    """What a customer has that no call sends."""

    customer_id: Annotated[int, _is("ID", Integer(least=1), "The customer's number in its site.")]
    date_added: Annotated[
        datetime, _is("DateAdded", DateTime(), "When the customer was added, UTC.")
    ]
    date_updated: Annotated[
        datetime, _is("DateUpdated", DateTime(), "When the customer last changed, UTC.")
    ]
    account_balance: Annotated[
        None, _is("AccountBalance", Text(255), "We hold no accounts: always empty.")
    ]
    available_credit: Annotated[
        None, _is("AvailableCredit", Text(255), "We hold no accounts: always empty.")
    ]
    revision: Annotated[
        int, _is("Revision", Integer(), "How many times it was written.", "extension")
    ]


CUSTOMER: Final = table_of(CustomerFields)
_OURS: Final = table_of(_GivenByUs)

CUSTOMER_DETAILS: Final = {
    key: wire
    for key, wire in leaves_of(CUSTOMER).items()
    if key not in {"username", "password"}  # named by the one; the other is kept nowhere
}
"""What is kept of a customer, beside the username, by key."""


def _named(name: str, key: str, type: WireType, doc: str) -> Element:
    return Element(name, key, _is(name, type, doc))


def _group(name: str, doc: str, *parts: Element, repeats: str = "", key: str = "") -> Element:
    return Element(name, key, _is(name, Nested(), doc), parts=parts, repeats=repeats)


def _log(name: str, form: Form = Form.PLAIN) -> Element:
    field = CUSTOMER_LOG[name]
    return element_of(replace(field, wire=replace(field.wire, evidence="documented")), form)


# ShipTitle is in no answer, but as the Title in the book (documented).
_SHIPPING: Final = tuple(
    element_of(field)
    for name, field in CUSTOMER["ShippingAddress"].parts.items()
    if name != "ShipTitle"
)
_SHIPPING_ADDRESS: Final = _group("ShippingAddress", "Where goods go.", *_SHIPPING)
_SHIPPING_ADDRESS_BOOK: Final = _group(
    "ShippingAddressBook",
    "All addresses for goods: here the one that there is, if any.",
    _named("Id", "address_id", Integer(), "Its number."),
    _named("Title", "ship_title", Text(255), "What it is called."),
    _named("Default", "is_default", Boolean(), "Whether it is the one to take."),
    *_SHIPPING,
    repeats="ShippingAddress",
    key="shipping_addresses",
)
_ACCOUNT_MANAGER: Final = _group(
    "AccountManager",
    "Who looks after the customer; we hold the username alone.",
    _named("FirstName", "", Text(255), "Always empty."),
    _named("LastName", "", Text(255), "Always empty."),
    _named("Username", "account_manager", Text(25), "The username."),
    _named("Email", "", Text(255), "Always empty."),
)
_CUSTOMER_LOGS: Final = _group(
    "CustomerLogs",
    "The customer's logs, by LogID.",
    _log("LogID"),
    # The vendor does not say whether this is the username or the name: contradiction C13.
    _named("Customer", "username", Text(25), "The customer's username."),
    _log("AllocatedTo"),
    _log("Status"),
    # A DateTime on the way in is a Date on the way out (documented).
    _log("DateRequiredFollowUp", Form.DAY),
    *(_log("LastContacted", form) for form in (Form.PLAIN, Form.LOCAL, Form.UTC)),
    _log("Notes"),
    repeats="CustomerLog",
    key="customer_logs",
)


def _selected(name: str) -> Element:
    return element_of(CUSTOMER[name] if name in CUSTOMER else _OURS[name])


# In the documented order (OutputSelector of GetCustomer), and ours behind it.
GET_CUSTOMER_SELECTORS: Final = selectors_of(
    *map(_selected, ("ID", "Username", "Type")),
    _named("Password", "", Text(100), "Always empty: passwords are kept nowhere."),
    *map(_selected, ("EmailAddress", "SecondaryEmailAddress", "NewsletterSubscriber")),
    _selected("BillingAddress"),
    _SHIPPING_ADDRESS,
    _SHIPPING_ADDRESS_BOOK,
    *map(
        _selected,
        (
            "ParentUsername", "ApprovalUsername", "ReferralUsername", "ReferralCommission",
            "Gender", "DateOfBirth", "IdentificationType", "IdentificationDetails",
            "DefaultDiscounts", "DefaultDocumentTemplate",
        ),
    ),
    _named("RegistrationDate", "date_added", DateTime(), "When the customer was added, UTC."),
    *map(
        _selected,
        (
            "InternalNotes", "ABN", "WebsiteURL", "CreditLimit", "DefaultInvoiceTerms",
            "Classification1", "Classification2", "SalesChannel",
        ),
    ),
    # Its answer has no element of that name (documented); this is the address it would be.
    ("DefaultShippingAddress", _SHIPPING_ADDRESS),
    *map(_selected, ("Active", "OnCreditHold", "UserGroup", "AccountBalance")),
    _selected("AvailableCredit"),
    _ACCOUNT_MANAGER,
    _selected("DefaultOrderType"),
    *(_selected(f"UserCustom{n}") for n in range(1, 51)),
    *forms_of(_OURS["DateAdded"]),
    *forms_of(_OURS["DateUpdated"]),
    ("CustomerLog", _CUSTOMER_LOGS),
    _selected("Revision"),
)  # fmt: skip

_BILLING: Final = CUSTOMER["BillingAddress"].parts

GET_CUSTOMER_FILTERS: Final = filters_of(
    _OURS["ID"],
    {
        "ID": _OURS["ID"],
        **{name: CUSTOMER[name] for name in ("Username", "Type", "Active", "OnCreditHold")},
        "NewsletterSubscriber": CUSTOMER["NewsletterSubscriber"],
        "Email": CUSTOMER["EmailAddress"],
        "Company": _BILLING["BillCompany"],
        "UserGroup": CUSTOMER["UserGroup"],
        "BillState": _BILLING["BillState"],
    },
    (_OURS["DateAdded"], _OURS["DateUpdated"]),
    evidence="documented",
)

_USERNAME: Final = (element_of(CUSTOMER["Username"]),)
_NEW: Final = tuple(map(element_of, (*CUSTOMER.values(), _OURS["Revision"])))

ADD_CUSTOMER: Final = Shape(
    "AddCustomer",
    "Add customers.",
    "documented",
    "Customer",
    ("Customer",),
    CUSTOMER,
    ignored=frozenset({"ID"}),  # NetoDotNET sends ID 0 with every customer it adds
    answer="Customer",
    keys=_USERNAME,
    becomes=_NEW,
)
UPDATE_CUSTOMER: Final = Shape(
    "UpdateCustomer",
    "Change customers that are there.",
    "documented",
    "Customer",
    ("Customer",),
    table_of(UpdateCustomerFields),
    answer="Customer",
    keys=_USERNAME,
    becomes=(element_of(_OURS["ID"]), *_NEW),
)
GET_CUSTOMER: Final = Shape(
    "GetCustomer",
    "Read customers, and with the OutputSelector CustomerLog their logs.",
    "documented",
    "Customer",
    filters=GET_CUSTOMER_FILTERS,
    selectors=GET_CUSTOMER_SELECTORS,
    answer="Customer",
    keys=(element_of(_OURS["ID"]), *_USERNAME),
)
